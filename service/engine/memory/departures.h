#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_DEPARTURES_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_DEPARTURES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/base/clock.h"
#include "service/base/message.h"
#include "service/base/message_edit.h"
#include "service/engine/engine.h"
#include "service/engine/memory/delayed_messages.h"
#include "service/engine/memory/shares.h"
#include "service/exchange/router.h"

namespace kelpmq::service {

// What of a vhost publishing uses. Thread-safety: any thread may publish; it
// takes no lock.
struct PublishPath {
  const Router& router;
  const std::string& vhost;  // for error texts
  const Clock& clock;        // when a delay is over
  DelayedMessages& delayed;
};

// What a queue says to its share.
struct Refusal {
  std::string queue;
  std::vector<uint32_t> indexes;  // of what it refused, into the batch
  QueueRef crowded;               // the queue if it is (PublishResult)
};

// One batch on its way: what each queue gets of it, and what is kept for later.
// Thread-safety: thread-compatible.
class Departures {
 public:
  // `path` outlives this.
  Departures(const PublishPath& path, size_t batch_size)
      : path_(path), shares_(batch_size) {}

  // Where a queue's share of the batch is gathered, for Send.
  uint32_t ShareOf(TargetId queue) { return shares_.Of(queue); }

  // Gives the message, number `index` of the batch, to these shares, with its
  // BCC header hidden (CC-02).
  void Send(MessageRef message, uint32_t index,
            absl::Span<const uint32_t> shares) {
    if (message->marks().bcc == MessageMarks::Bcc::kHeader && !shares.empty()) {
      message = WithBccHidden(std::move(message));
    }
    for (size_t at = 0; at < shares.size(); ++at) {
      Share& share = shares_[shares[at]];
      // The last takes the reference itself.
      share.messages.push_back(at + 1 < shares.size() ? message
                                                      : std::move(message));
      share.indexes.push_back(index);
    }
  }
  // Has it routed at `due`.
  void Keep(absl::Time due, LateMessage message) {
    kept_.push_back({due, std::move(message)});
  }
  // Has it routed by each of these exchanges when its delay is over (PLUG-06).
  void KeepFor(absl::Span<const std::string> holders,
               const MessageRef& message);

  // Hands everything over. `done` gets the refusals, by queue, when every queue
  // has taken its share, on the strand of the last; with no queue at all, at
  // once.
  void Leave(absl::AnyInvocable<void(std::vector<Refusal>)> done) &&;

 private:
  const PublishPath path_;
  Shares shares_;
  std::vector<DelayedMessages::Addition> kept_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_DEPARTURES_H_
