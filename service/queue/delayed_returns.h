#ifndef KELPMQ_SERVICE_QUEUE_DELAYED_RETURNS_H_
#define KELPMQ_SERVICE_QUEUE_DELAYED_RETURNS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "service/queue/deadline.h"
#include "service/queue/ready_run.h"

namespace kelpmq::service {

// Why a delivery ended without having been acked or discarded.
enum class ReturnCause {
  kRequeued,  // whoever held it gave it back
  kLost,      // whoever held it is gone, or had it for too long
};

// How long returned messages wait before they are ready again (QUORUM-09).
// Immutable.
struct RetryDelay {
  enum class Type {
    kDisabled,
    kAll,
    kFailed,    // every return: none can be told from a failure
    kReturned,  // what was requeued
  };

  Type type = Type::kDisabled;
  absl::Duration min = absl::ZeroDuration();
  absl::Duration max = absl::InfiniteDuration();

  // After the `count`th return. Grows by `min` each time, up to `max`.
  absl::Duration Of(ReturnCause cause, uint32_t count) const {
    if (type == Type::kDisabled ||
        (type == Type::kReturned && cause == ReturnCause::kLost)) {
      return absl::ZeroDuration();
    }
    return std::min(min * count, max);
  }
};

// Returned messages that wait. Thread-safety: thread-compatible. Owned by one
// QueueCore.
class DelayedReturns {
 public:
  size_t size() const { return waiting_.size(); }
  uint64_t bytes() const { return bytes_; }  // of bodies
  // Infinite future: none waits.
  absl::Time next_due() const {
    return waiting_.empty() ? absl::InfiniteFuture()
                            : waiting_.begin()->first.time();
  }

  void Add(absl::Time due, QueuedMessage message) {
    bytes_ += message.message->marks().payload_bytes;
    waiting_.emplace(Deadline(due), std::move(message));
  }
  // Takes out what is due, by time and then in order of return.
  void TakeDue(absl::Time now,
               absl::FunctionRef<void(QueuedMessage message)> visit) {
    while (!waiting_.empty() && waiting_.begin()->first.IsDue(now)) {
      QueuedMessage message = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      bytes_ -= message.message->marks().payload_bytes;
      visit(std::move(message));
    }
  }
  void Clear() {
    waiting_.clear();
    bytes_ = 0;
  }

 private:
  absl::btree_multimap<Deadline, QueuedMessage> waiting_;
  uint64_t bytes_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_DELAYED_RETURNS_H_
