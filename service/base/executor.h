#ifndef KELPMQ_SERVICE_BASE_EXECUTOR_H_
#define KELPMQ_SERVICE_BASE_EXECUTOR_H_

#include <deque>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

using Closure = absl::AnyInvocable<void()>;

// Runs closures somewhere else than in the caller's stack, in no given order.
// Thread-safety: implementations are thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  // Never blocks and never runs `closure` before it returns.
  virtual void Post(Closure closure) = 0;
};

// A fixed number of threads that take closures first come, first served.
class ThreadPoolExecutor : public Executor {
 public:
  explicit ThreadPoolExecutor(int threads);
  // Stops. Nothing may be posted from outside any more; closures that still
  // run may post.
  ~ThreadPoolExecutor() override;

  void Post(Closure closure) override;

  // Runs what was posted, then joins; closures posted from then on are dropped
  // unrun. For a stop while others may still hold on to the executor.
  void Stop();

 private:
  void Run();

  Mutex mu_;
  CondVar wake_;
  std::deque<Closure> posted_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;  // the threads are gone
  std::vector<std::thread> threads_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_EXECUTOR_H_
