#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_DELAYED_STORE_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_DELAYED_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "service/base/message.h"

namespace kelpmq::service {

// A message that is routed later than it was published.
struct LateMessage {
  MessageRef message;
  // Where it enters; empty: at the exchange that it names, as if published
  // then.
  std::string exchange;
};

// Messages that wait for their time, in a heap: 40 bytes each beyond the
// message. Thread-safety: thread-compatible.
class DelayedStore {
 public:
  void Add(absl::Time due, LateMessage message);

  // Of the one that is due first; infinite future if there is none.
  absl::Time next_due() const;
  // Takes out what is due at `now`, by time and then by arrival, `limit`
  // messages at the most.
  std::vector<LateMessage> TakeDue(absl::Time now, size_t limit);

  size_t size() const { return heap_.size(); }

 private:
  // An exchange name that entries share.
  using NameId = uint32_t;
  static constexpr NameId kOwnExchange = std::numeric_limits<NameId>::max();
  struct Name {
    std::string text;
    size_t uses = 0;
  };

  struct Entry {
    absl::Time due;
    uint64_t arrival;
    MessageRef message;
    NameId exchange;
  };
  static_assert(sizeof(Entry) <= 40);
  static bool ComesLater(const Entry& a, const Entry& b) {
    return a.due != b.due ? a.due > b.due : a.arrival > b.arrival;
  }

  NameId AcquireName(const std::string& text);
  std::string ReleaseName(NameId id);

  // In blocks, so that it grows without a copy.
  std::deque<Entry> heap_;
  uint64_t arrivals_ = 0;
  std::vector<Name> names_;
  std::vector<NameId> free_names_;
  absl::flat_hash_map<std::string, NameId> name_ids_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_DELAYED_STORE_H_
