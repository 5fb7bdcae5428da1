#include "service/queue/single_active.h"

#include <algorithm>

namespace kelpmq::service {

void SingleActive::Add(Taker* consumer) {
  consumers_.push_back(consumer);
  if (active_ == nullptr) {
    Activate(consumer);
  } else {
    Reconsider();
  }
}

void SingleActive::Remove(Taker* consumer) {
  consumers_.erase(std::find(consumers_.begin(), consumers_.end(), consumer));
  if (consumer != active_) return Reconsider();
  active_ = nullptr;
  if (!consumers_.empty()) Activate(First());
}

void SingleActive::Settled(const Taker* consumer) {
  if (consumer == active_) Reconsider();
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

void SingleActive::Reconsider() {
  if (succession_ == Succession::kAtLeave) return;
  Taker* const first = First();
  active_->stands_by = first->priority > active_->priority;
  if (active_->stands_by && active_->unacked_count == 0) {
    Activate(first);
  } else {
    dispatcher_->Update(active_);
  }
}

}  // namespace kelpmq::service
