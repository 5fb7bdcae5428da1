#include "service/queue/ready_list.h"

#include <utility>

namespace kelpmq::service {

void ReadyList::Append(MessageRef message) {
  fresh_.push_back(QueuedMessage{std::move(message), next_position_++, 0});
}

void ReadyList::Return(QueuedMessage message) {
  const uint64_t position = message.position;
  // Returns mostly come in rising order: the hint makes them cheap.
  returned_.emplace_hint(returned_.end(), position, std::move(message));
}

const QueuedMessage& ReadyList::Head() const {
  return returned_.empty() ? fresh_.front() : returned_.begin()->second;
}

QueuedMessage ReadyList::PopHead() {
  QueuedMessage head;
  if (returned_.empty()) {
    head = std::move(fresh_.front());
    fresh_.pop_front();
  } else {
    head = std::move(returned_.begin()->second);
    returned_.erase(returned_.begin());
  }
  return head;
}

void ReadyList::Clear() {
  fresh_.clear();
  returned_.clear();
}

}  // namespace kelpmq::service
