#ifndef KELPMQ_SERVICE_EXCHANGE_RECENT_HISTORY_H_
#define KELPMQ_SERVICE_EXCHANGE_RECENT_HISTORY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "service/base/message.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

// The last messages that an exchange has seen (PLUG-05). Shared by the two
// copies of the routing table, since publishing changes it: the table knows
// where it is, and never what is in it.
//
// A message is stored while it is being routed, together with the number of
// bindings that the exchange had been given by then, as far as that routing
// could see. Binding number n is thus behind exactly the messages with a
// smaller number: those that it has not been routed to itself.
//
// Thread-safety: thread-safe.
class RecentHistory {
 public:
  // `length`: messages that are kept.
  explicit RecentHistory(size_t length) : length_(length) {}

  void Store(MessageRef message, uint64_t bindings);

  // What a destination that has just become binding number `binding` has
  // missed, oldest first. Routing that began before the binding must have
  // ended.
  std::vector<MessageRef> MissedBy(uint64_t binding) const;

 private:
  struct Entry {
    MessageRef message;
    uint64_t bindings;
  };

  const size_t length_;
  mutable Mutex mu_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mu_);
};

// What a new binding is to be sent.
struct HistoryReplay {
  std::shared_ptr<const RecentHistory> history;
  uint64_t binding = 0;

  std::vector<MessageRef> messages() const {
    return history->MissedBy(binding);
  }
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_RECENT_HISTORY_H_
