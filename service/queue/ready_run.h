#ifndef KELPMQ_SERVICE_QUEUE_READY_RUN_H_
#define KELPMQ_SERVICE_QUEUE_READY_RUN_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "service/base/message.h"
#include "service/queue/deadline.h"
#include "service/queue/fifo.h"

namespace kelpmq::service {

// A message that is ready, or was when it went out.
struct QueuedMessage {
  MessageRef message;
  // Its place among all messages its run ever took, for good (NACK-01).
  uint64_t position = 0;
  Deadline expires;  // TTL-08: kept while it is out
  // Deliveries that ended without ack.
  uint32_t delivery_count = 0;
};

// Ready messages of one priority, by position.
//
// Messages leave at the head alone, so those that were never out form a line
// behind every one that was: in the line a message costs one pointer, its
// position follows from its place, and only returned messages pay for an
// ordered map. Deadlines stand in a line of their own, which begins with the
// first message that has one: a run without any pays nothing for them.
// Thread-safety: thread-compatible. Owned by one ReadyList.
class ReadyRun {
 public:
  bool empty() const { return fresh_.empty() && returned_.empty(); }

  // Puts a new message behind all others.
  void Append(MessageRef message, Deadline expires) {
    if (!expires.is_never()) AppendDeadline(expires);
    fresh_.push_back(std::move(message));
  }
  // Puts a message that PopHead gave out back to its place.
  void Return(QueuedMessage message);
  // Puts it behind all others that were put back, and before all new ones.
  void ReturnInTurn(QueuedMessage message);

  // The message that goes next, and when it expires. Not when empty.
  const MessageRef& Head() const {
    return returned_.empty() ? fresh_.front()
                             : returned_.begin()->second.message;
  }
  Deadline HeadExpires() const {
    if (!returned_.empty()) return returned_.begin()->second.expires;
    return HasDeadline(fresh_base_) ? deadlines_.front() : Deadline();
  }
  QueuedMessage PopHead() {
    return returned_.empty() ? PopFresh() : PopReturned();
  }

  void Clear();

 private:
  bool HasDeadline(uint64_t position) const {
    return !deadlines_.empty() && position >= deadlines_base_;
  }
  // Of the message that will be appended next.
  void AppendDeadline(Deadline expires);
  QueuedMessage PopFresh() {
    QueuedMessage head{fresh_.pop_front(), fresh_base_, Deadline(), 0};
    if (HasDeadline(fresh_base_)) {
      head.expires = deadlines_.pop_front();
      ++deadlines_base_;
    }
    ++fresh_base_;
    return head;
  }
  QueuedMessage PopReturned();

  Fifo<MessageRef> fresh_;  // positions from fresh_base_ on
  uint64_t fresh_base_ = 0;
  // Of the fresh messages from deadlines_base_ on; those behind its end have
  // none. fresh_base_ <= deadlines_base_ while there are any.
  Fifo<Deadline> deadlines_;
  uint64_t deadlines_base_ = 0;
  // All of them go before the fresh ones.
  absl::btree_map<uint64_t, QueuedMessage> returned_;
  uint64_t next_turn_ = 0;  // of ReturnInTurn
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_READY_RUN_H_
