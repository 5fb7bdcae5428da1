#ifndef KELPMQ_CLIENT_CPP_SRC_WAIT_UNTIL_H_
#define KELPMQ_CLIENT_CPP_SRC_WAIT_UNTIL_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"

namespace kelpmq::client {

// Waits for `changed`, whose wakes may be spurious. False: the deadline, which
// may be InfiniteFuture, has passed.
inline bool WaitUntil(absl::Time deadline, service::CondVar* changed,
                      service::Mutex* mu) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
  if (deadline == absl::InfiniteFuture()) {
    changed->Wait(mu);  // WaitFor cannot count so far
    return true;
  }
  const absl::Duration left = deadline - absl::Now();
  if (left <= absl::ZeroDuration()) return false;
  changed->WaitFor(mu, left);
  return true;
}

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_WAIT_UNTIL_H_
