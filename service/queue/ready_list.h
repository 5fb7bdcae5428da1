#ifndef KELPMQ_SERVICE_QUEUE_READY_LIST_H_
#define KELPMQ_SERVICE_QUEUE_READY_LIST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "service/base/message.h"
#include "service/queue/deadline.h"
#include "service/queue/priority_levels.h"
#include "service/queue/ready_run.h"

namespace kelpmq::service {

// Where a message that comes back goes.
enum class ReturnPlace {
  kOriginal,  // where it was among those of its priority (NACK-01, PRIO-04)
  kInTurn,    // before all that were never out, in order of return (QUORUM-04)
};

// The ready messages of one queue, in the order in which they leave: higher
// priorities first, then by position.
//
// Without priorities there is one run, and priorities cost one comparison.
// Thread-safety: thread-compatible. Owned by one QueueCore.
class ReadyList {
 public:
  explicit ReadyList(PriorityLevels levels = PriorityLevels(),
                     ReturnPlace return_place = ReturnPlace::kOriginal)
      : levels_(levels), return_place_(return_place) {}
  ReadyList(const ReadyList&) = delete;
  ReadyList& operator=(const ReadyList&) = delete;

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  uint64_t bytes() const { return bytes_; }  // of bodies

  // Puts a new message behind all others of its priority.
  void Append(MessageRef message, Deadline expires = Deadline()) {
    Count(*message);
    RunFor(*message).Append(std::move(message), expires);
  }
  // Puts a message that PopHead gave out back to its place.
  void Return(QueuedMessage message);

  // The message that goes next, and when it expires: never if there is none.
  // Head: not when empty.
  const MessageRef& Head() const { return head_->Head(); }
  Deadline HeadExpires() const {
    return empty() ? Deadline() : head_->HeadExpires();
  }
  QueuedMessage PopHead() {
    QueuedMessage message = head_->PopHead();
    --size_;
    bytes_ -= message.message->marks().payload_bytes;
    if (head_level_ > 0 && head_->empty()) GoDown();
    return message;
  }

  void Clear();

 private:
  // The run of a message that comes in; head_ is right with it in there.
  ReadyRun& RunFor(const Message& message) {
    return levels_.highest == 0 ? lowest_ : RunOfLevel(message);
  }
  ReadyRun& RunOfLevel(const Message& message);
  // The run whose turn it was is empty.
  void GoDown();
  void Count(const Message& message) {
    ++size_;
    bytes_ += message.marks().payload_bytes;
  }

  const PriorityLevels levels_;
  const ReturnPlace return_place_;
  size_t size_ = 0;
  uint64_t bytes_ = 0;

  ReadyRun lowest_;
  // By level - 1, made when there are priorities.
  std::unique_ptr<ReadyRun[]> higher_;
  // The run whose head goes next; level 0's if all are empty.
  ReadyRun* head_ = &lowest_;
  uint8_t head_level_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_READY_LIST_H_
