#ifndef KELPMQ_SERVICE_BASE_TIMER_QUEUE_H_
#define KELPMQ_SERVICE_BASE_TIMER_QUEUE_H_

#include <cstdint>
#include <map>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

// Due times and what to do then. Work that falls due is posted to the executor
// in the order of its time. Costs nothing while nothing is due: its thread, if
// started, sleeps until the earliest time.
// Thread-safety: thread-safe.
class TimerQueue {
 public:
  // Identifies a scheduled closure; kNoTimer names none.
  using TimerId = uint64_t;
  static constexpr TimerId kNoTimer = 0;

  TimerQueue(const Clock* clock, Executor* executor)
      : clock_(clock), executor_(executor) {}
  ~TimerQueue();  // stops

  // Starts the thread. Without it (tests, manual clock) RunDue is called by
  // whoever moves the clock.
  void Start();

  // Forgets what is not due yet, and what is scheduled from now on, and joins
  // the thread. For a stop while others may still hold on to the queue.
  void Stop();

  TimerId Schedule(absl::Time when, Closure closure);
  // True if the closure will not run. False: it has been posted already.
  bool Cancel(TimerId id);

  // The earliest time that something is scheduled for; infinite future if
  // nothing is.
  absl::Time NextDue();

  // Posts all that is due now; returns how many closures that were.
  int RunDue();

 private:
  using Key = std::pair<absl::Time, TimerId>;

  void Run();

  const Clock* const clock_;
  Executor* const executor_;
  Mutex mu_;
  CondVar wake_;
  std::map<Key, Closure> scheduled_ ABSL_GUARDED_BY(mu_);
  std::map<TimerId, absl::Time> times_ ABSL_GUARDED_BY(mu_);
  TimerId last_id_ ABSL_GUARDED_BY(mu_) = kNoTimer;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_TIMER_QUEUE_H_
