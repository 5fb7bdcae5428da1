#ifndef KELPMQ_SERVICE_BASE_MANUAL_TIME_H_
#define KELPMQ_SERVICE_BASE_MANUAL_TIME_H_

#include <deque>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/mutex.h"
#include "service/base/timer_queue.h"

namespace kelpmq::service {

// A clock that stands still until it is moved, and the timers that run by it.
//
// Moving it goes from one due time to the next, and on only after all that fell
// due there has taken effect (Aftermath): a message that expires into another
// queue starts to age there at the time of its expiry, as in real time.
//
// Thread-safety: thread-safe. `executor` outlives it.
class ManualTime {
 public:
  ManualTime(absl::Time start, Executor* executor)
      : executor_(executor), clock_(start), timers_(&clock_, executor) {}

  const Clock* clock() const { return &clock_; }
  TimerQueue* timers() { return &timers_; }

  // Moves the clock by `by`, which is not negative, and runs what falls due.
  // `done` gets the time reached once all of it has taken effect, on any
  // thread, perhaps before this returns. Moves that are asked for meanwhile
  // come after this one.
  using Done = absl::AnyInvocable<void(absl::Time now)>;
  void Advance(absl::Duration by, Done done);

  // Forgets what is not due yet; `done` of a move under way may never run.
  void Stop() { timers_.Stop(); }

 private:
  class ManualClock : public Clock {
   public:
    explicit ManualClock(absl::Time start) : now_(start) {}
    absl::Time Now() const override {
      MutexLock lock(&mu_);
      return now_;
    }
    void Set(absl::Time now) {
      MutexLock lock(&mu_);
      now_ = now;
    }

   private:
    mutable Mutex mu_;
    absl::Time now_ ABSL_GUARDED_BY(mu_);
  };

  struct Move {
    absl::Duration by;
    Done done;
  };

  void Begin(Move move);
  // Runs what is due next, up to `target`, and what follows from it.
  void Step(absl::Time target, Done done);
  void Finish(absl::Time target, Done done);

  Executor* const executor_;
  ManualClock clock_;
  TimerQueue timers_;

  Mutex mu_;
  bool moving_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<Move> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_MANUAL_TIME_H_
