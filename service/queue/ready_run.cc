#include "service/queue/ready_run.h"

#include <utility>

namespace kelpmq::service {

void ReadyRun::AppendDeadline(Deadline expires) {
  const uint64_t position = fresh_base_ + fresh_.size();
  if (deadlines_.empty()) deadlines_base_ = position;
  while (deadlines_base_ + deadlines_.size() < position) {
    deadlines_.push_back(Deadline());
  }
  deadlines_.push_back(expires);
}

void ReadyRun::Return(QueuedMessage message) {
  const uint64_t position = message.position;
  // Returns mostly come in rising order: the hint makes them cheap.
  returned_.emplace_hint(returned_.end(), position, std::move(message));
}

void ReadyRun::ReturnInTurn(QueuedMessage message) {
  message.position = next_turn_++;
  Return(std::move(message));
}

QueuedMessage ReadyRun::PopReturned() {
  QueuedMessage head = std::move(returned_.begin()->second);
  returned_.erase(returned_.begin());
  return head;
}

void ReadyRun::Clear() {
  fresh_base_ += fresh_.size();
  fresh_.clear();
  deadlines_.clear();
  returned_.clear();
}

}  // namespace kelpmq::service
