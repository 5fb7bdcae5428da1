#include "service/engine/memory/departures.h"

#include <memory>
#include <optional>
#include <utility>

#include "service/base/message_edit.h"
#include "service/base/message_wire.h"
#include "service/base/strand.h"
#include "service/engine/memory/gather.h"
#include "service/queue/queue.h"

namespace kelpmq::service {

void Departures::KeepFor(absl::Span<const std::string> holders,
                         const MessageRef& message) {
  const auto delay = DelayOf(DecodeHeaders(message->encoded()));
  const absl::Time due =
      path_.clock.Now() + absl::Milliseconds(delay.value_or(0));
  const MessageRef served = WithDelayServed(message);
  for (const std::string& exchange : holders) Keep(due, {served, exchange});
}

void Departures::Leave(absl::AnyInvocable<void(std::vector<Refusal>)> done) && {
  std::vector<Share> parts = std::move(shares_).Take();
  absl::InlinedVector<TargetId, 8> targets;
  for (const Share& share : parts) targets.push_back(share.target);
  ResolvedTargets queues = path_.router.Resolve(targets);
  auto gather = Gather<Refusal>::Create(parts.size() + (kept_.empty() ? 0 : 1),
                                        std::move(done));
  // A copy goes before the dead letters that another copy causes.
  std::optional<Strand::Together> together;
  if (parts.size() > 1) together.emplace();
  for (size_t slot = 0; slot < parts.size(); ++slot) {
    Share& share = parts[slot];
    // The vhost gives its router nothing but queues.
    auto target = std::static_pointer_cast<Queue>(std::move(queues[slot]));
    if (target == nullptr) {  // gone since: it has dropped the messages
      gather->Put(slot, {});
      continue;
    }
    Queue* const queue = target.get();
    queue->Enqueue(std::move(share.messages),
                   [gather, slot, queue = std::move(target),
                    indexes = std::move(share.indexes)](
                       std::vector<uint32_t> refused) mutable {
                     Refusal refusal;
                     if (!refused.empty()) {
                       refusal.queue = queue->name();
                       for (uint32_t at : refused)
                         refusal.indexes.push_back(indexes[at]);
                     }
                     if (queue->IsCrowded()) refusal.crowded = queue;
                     gather->Put(slot, std::move(refusal));
                   });
  }
  if (kept_.empty()) return;
  path_.delayed.Add(std::move(kept_),
                    [gather, slot = parts.size()] { gather->Put(slot, {}); });
}

}  // namespace kelpmq::service
