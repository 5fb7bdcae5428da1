#ifndef KELPMQ_TESTS_TESTING_MANUAL_EXECUTOR_H_
#define KELPMQ_TESTS_TESTING_MANUAL_EXECUTOR_H_

#include <deque>
#include <utility>

#include "service/base/executor.h"

namespace kelpmq::service::testing {

// Keeps what is posted until the test runs it. Thread-safe.
class ManualExecutor : public Executor {
 public:
  void Post(Closure closure) override {
    MutexLock lock(&mu_);
    posted_.push_back(std::move(closure));
  }
  // Runs what is posted, and what that posts, until nothing is left; returns
  // how many closures ran.
  int RunAll() {
    int ran = 0;
    while (true) {
      Closure next;
      {
        MutexLock lock(&mu_);
        if (posted_.empty()) return ran;
        next = std::move(posted_.front());
        posted_.pop_front();
      }
      std::move(next)();
      ++ran;
    }
  }

 private:
  Mutex mu_;
  std::deque<Closure> posted_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_MANUAL_EXECUTOR_H_
