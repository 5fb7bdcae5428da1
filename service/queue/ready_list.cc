#include "service/queue/ready_list.h"

#include <utility>

namespace kelpmq::service {

void ReadyList::Return(QueuedMessage message) {
  Count(*message.message);
  ReadyRun& run = RunFor(*message.message);
  if (return_place_ == ReturnPlace::kOriginal) {
    run.Return(std::move(message));
  } else {
    run.ReturnInTurn(std::move(message));
  }
}

void ReadyList::GoDown() {
  while (head_->empty() && head_level_ > 0) {
    --head_level_;
    head_ = head_level_ == 0 ? &lowest_ : &higher_[head_level_ - 1];
  }
}

void ReadyList::Clear() {
  lowest_.Clear();
  for (int level = 1; higher_ != nullptr && level <= levels_.highest; ++level) {
    higher_[level - 1].Clear();
  }
  size_ = 0;
  bytes_ = 0;
  head_ = &lowest_;
  head_level_ = 0;
}

ReadyRun& ReadyList::RunOfLevel(const Message& message) {
  const uint8_t level = levels_.LevelOf(message.marks().priority);
  if (level == 0) return lowest_;
  if (higher_ == nullptr) {
    higher_ = std::make_unique<ReadyRun[]>(levels_.highest);
  }
  ReadyRun& run = higher_[level - 1];
  if (level > head_level_) {
    head_ = &run;
    head_level_ = level;
  }
  return run;
}

}  // namespace kelpmq::service
