#include "service/rpc/draining.h"

#include <utility>

namespace kelpmq::service {

absl::Time Draining::deadline() const {
  MutexLock lock(&mu_);
  return deadline_;
}

void Draining::Subscribe(Callback callback) {
  absl::Time deadline;
  {
    MutexLock lock(&mu_);
    if (!started()) {
      callbacks_.push_back(std::move(callback));
      return;
    }
    deadline = deadline_;
  }
  callback(deadline);
}

void Draining::Start(absl::Time deadline) {
  std::vector<Callback> callbacks;
  {
    MutexLock lock(&mu_);
    if (started()) return;
    deadline_ = deadline;
    started_.store(true, std::memory_order_release);
    callbacks.swap(callbacks_);
  }
  for (Callback& callback : callbacks) callback(deadline);
}

}  // namespace kelpmq::service
