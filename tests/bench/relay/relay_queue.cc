#include "tests/bench/relay/relay_queue.h"

#include <algorithm>

namespace kelpmq::bench {

void RelayQueue::RemoveConsumer(Consumer* consumer) {
  consumers_.erase(std::remove(consumers_.begin(), consumers_.end(), consumer),
                   consumers_.end());
}

void RelayQueue::RemovePublisher(Publisher* publisher) {
  held_.erase(std::remove(held_.begin(), held_.end(), publisher), held_.end());
}

void RelayQueue::Offer() {
  for (size_t i = 0; i < consumers_.size() && !ready_.empty(); ++i) {
    if (next_ >= consumers_.size()) next_ = 0;
    consumers_[next_++]->OnReady();
  }
}

void RelayQueue::TellRoom() {
  if (held_.empty() || full()) return;
  std::vector<Publisher*> held;
  held.swap(held_);
  for (Publisher* publisher : held) publisher->OnRoom();
}

}  // namespace kelpmq::bench
