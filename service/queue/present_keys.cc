#include "service/queue/present_keys.h"

#include <optional>
#include <utility>

#include "service/base/deduplication.h"
#include "service/base/message_wire.h"

namespace kelpmq::service {
namespace {

std::optional<std::string> KeyOf(const Message& message) {
  if (!message.marks().has_headers) return std::nullopt;
  return DeduplicationKey(DecodeHeaders(message.encoded()));
}

}  // namespace

bool PresentKeys::Enter(const Message& message, Deadline expires,
                        absl::Time now) {
  auto key = KeyOf(message);
  if (!key.has_value()) return true;
  const auto [it, added] =
      entries_.try_emplace(*std::move(key), Entry{&message, expires});
  if (added) return true;
  if (!it->second.expires.IsDue(now)) return false;
  it->second = {&message, expires};
  return true;
}

void PresentKeys::Leave(const Message& message) {
  const auto key = KeyOf(message);
  if (!key.has_value()) return;
  const auto it = entries_.find(*key);
  // A later one may have taken the place of one that has expired.
  if (it != entries_.end() && it->second.message == &message) {
    entries_.erase(it);
  }
}

}  // namespace kelpmq::service
