#ifndef KELPMQ_SERVICE_QUEUE_READY_LIST_H_
#define KELPMQ_SERVICE_QUEUE_READY_LIST_H_

#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/container/btree_map.h"
#include "service/base/message.h"

namespace kelpmq::service {

// A message that is ready, or was when it went out.
struct QueuedMessage {
  MessageRef message;
  // Its place among all messages the queue ever took, for good (NACK-01).
  uint64_t position = 0;
  // Deliveries that ended without ack.
  uint32_t delivery_count = 0;
};

// The ready messages of one queue, by position.
//
// Messages leave at the head alone, so those that were never out form a run
// behind every one that was: the run is a deque, and only returned messages
// pay for an ordered map.
// Thread-safety: thread-compatible. Owned by one QueueCore.
class ReadyList {
 public:
  bool empty() const { return fresh_.empty() && returned_.empty(); }
  size_t size() const { return fresh_.size() + returned_.size(); }

  // Puts a new message behind all others.
  void Append(MessageRef message);
  // Puts a message that PopHead gave out back to its place.
  void Return(QueuedMessage message);

  // The message that goes next. Not when empty.
  const QueuedMessage& Head() const;
  QueuedMessage PopHead();

  void Clear();

 private:
  std::deque<QueuedMessage> fresh_;
  // All below fresh_'s first position.
  absl::btree_map<uint64_t, QueuedMessage> returned_;
  uint64_t next_position_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_READY_LIST_H_
