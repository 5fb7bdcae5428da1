#ifndef KELPMQ_SERVICE_STOP_SIGNALS_H_
#define KELPMQ_SERVICE_STOP_SIGNALS_H_

#include <csignal>
#include <ctime>

#include "absl/time/time.h"

namespace kelpmq::service {

// SIGTERM and SIGINT, blocked in this thread and in all that it starts.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  void Wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
  }
  // Whether one came within `timeout`.
  bool WaitFor(absl::Duration timeout) const {
    const timespec spec = absl::ToTimespec(timeout);
    return sigtimedwait(&signals_, nullptr, &spec) > 0;
  }

 private:
  sigset_t signals_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_STOP_SIGNALS_H_
