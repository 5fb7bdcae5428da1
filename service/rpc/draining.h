#ifndef KELPMQ_SERVICE_RPC_DRAINING_H_
#define KELPMQ_SERVICE_RPC_DRAINING_H_

#include <atomic>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

// Whether the server has been told to stop, and until when it still serves.
// Starts once and never ends. Thread-safety: thread-safe.
class Draining {
 public:
  using Callback = absl::AnyInvocable<void(absl::Time deadline)>;

  bool started() const { return started_.load(std::memory_order_acquire); }
  // InfiniteFuture before the start.
  absl::Time deadline() const;

  // Runs `callback` once: when draining starts, on the thread that starts it,
  // or at once if it has. There is no way back: what the callback uses must
  // live as long as this object.
  void Subscribe(Callback callback);

  // Runs the callbacks in the order of their subscription. A second start does
  // nothing.
  void Start(absl::Time deadline);

 private:
  mutable Mutex mu_;
  std::atomic<bool> started_{false};
  absl::Time deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  std::vector<Callback> callbacks_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_DRAINING_H_
