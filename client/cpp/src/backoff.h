#ifndef KELPMQ_CLIENT_CPP_SRC_BACKOFF_H_
#define KELPMQ_CLIENT_CPP_SRC_BACKOFF_H_

#include "absl/time/time.h"
#include "kelpmq/options.h"

namespace kelpmq::client {

// The waits between attempts, as BackoffOptions says.
// Thread-safety: thread-compatible.
class Backoff {
 public:
  explicit Backoff(const BackoffOptions& options)
      : options_(options), base_(options.initial) {}

  // The next wait. `chance`: in [0, 1), by which jitter is chosen.
  absl::Duration Next(double chance);
  // Begins anew: the last attempt has led somewhere.
  void Reset() { base_ = options_.initial; }

 private:
  const BackoffOptions options_;
  absl::Duration base_;  // the next wait, without jitter
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_BACKOFF_H_
