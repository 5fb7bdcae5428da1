#ifndef KELPMQ_TESTS_TESTING_FAKE_CLOCK_H_
#define KELPMQ_TESTS_TESTING_FAKE_CLOCK_H_

#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"

namespace kelpmq::service::testing {

// Time that stands still until the test moves it. Thread-safe.
class FakeClock : public Clock {
 public:
  absl::Time Now() const override {
    MutexLock lock(&mu_);
    return now_;
  }
  void Advance(absl::Duration by) {
    MutexLock lock(&mu_);
    now_ += by;
  }

 private:
  mutable Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_) = absl::FromUnixSeconds(1'000'000'000);
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_FAKE_CLOCK_H_
