#ifndef KELPMQ_SERVICE_QUEUE_LENGTH_LIMIT_H_
#define KELPMQ_SERVICE_QUEUE_LENGTH_LIMIT_H_

#include <cstdint>
#include <limits>

#include "service/queue/queue_arguments.h"

namespace kelpmq::service {

// How many ready messages a queue may have and how many bytes their bodies
// (LEN-02, LEN-04), and what gives way. Immutable.
class LengthLimit {
 public:
  LengthLimit() = default;
  explicit LengthLimit(const QueueArguments& arguments)
      : LengthLimit(arguments, arguments.overflow) {}
  // With another overflow than theirs.
  LengthLimit(const QueueArguments& arguments, Overflow overflow)
      : messages_(arguments.max_length.value_or(kNone)),
        bytes_(arguments.max_length_bytes.value_or(kNone)),
        overflow_(overflow) {
    // Quorum queues do not know it, and say so in RabbitMQ's log alone.
    if (arguments.type == QueueType::kQuorum &&
        overflow == Overflow::kRejectPublishDlx) {
      overflow_ = Overflow::kDropHead;
    }
  }

  bool any() const { return messages_ != kNone || bytes_ != kNone; }

  // Whether the queue must drop its head (LEN-01). Not so when it refuses what
  // comes instead: then what came back may exceed the limit (LEN-08).
  bool DropsHead(uint64_t messages, uint64_t bytes) const {
    return overflow_ == Overflow::kDropHead &&
           (messages > messages_ || bytes > bytes_);
  }
  // Whether a queue of this length refuses a body of `more` bytes (LEN-06).
  bool Refuses(uint64_t messages, uint64_t bytes, uint64_t more) const {
    return overflow_ != Overflow::kDropHead &&
           (messages >= messages_ || bytes + more > bytes_);
  }
  // Whether what is refused is dead-lettered (LEN-07).
  bool dead_letters_refused() const {
    return overflow_ == Overflow::kRejectPublishDlx;
  }

 private:
  static constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

  uint64_t messages_ = kNone;
  uint64_t bytes_ = kNone;
  Overflow overflow_ = Overflow::kDropHead;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_LENGTH_LIMIT_H_
