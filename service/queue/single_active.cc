#include "service/queue/single_active.h"

#include <algorithm>

namespace kelpmq::service {

void SingleActive::Add(Taker* consumer) {
  consumers_.push_back(consumer);
  if (active_ == nullptr) {
    Activate(consumer);
  } else {
    MakeRoom();
  }
}

void SingleActive::Remove(Taker* consumer) {
  consumers_.erase(std::find(consumers_.begin(), consumers_.end(), consumer));
  if (consumer != active_) return;
  active_ = nullptr;
  if (!consumers_.empty()) Activate(First());
}

void SingleActive::Settled(const Taker* consumer) {
  if (consumer == active_) MakeRoom();
}

Taker* SingleActive::First() const {
  return *std::max_element(
      consumers_.begin(), consumers_.end(),
      [](const Taker* a, const Taker* b) { return a->priority < b->priority; });
}

void SingleActive::Activate(Taker* consumer) {
  active_ = consumer;
  consumer->stands_by = false;
  dispatcher_->Update(consumer);
}

void SingleActive::MakeRoom() {
  if (succession_ == Succession::kAtLeave) return;
  Taker* const first = First();
  if (first->priority <= active_->priority) return;
  active_->stands_by = true;
  dispatcher_->Update(active_);
  if (active_->unacked_count == 0) Activate(first);
}

}  // namespace kelpmq::service
