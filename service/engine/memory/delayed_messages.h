#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_DELAYED_MESSAGES_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_DELAYED_MESSAGES_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/strand.h"
#include "service/base/timer_queue.h"
#include "service/engine/memory/delayed_store.h"

namespace kelpmq::service {

// The messages of one vhost that are routed later (PLUG-06, deliver_time): a
// strand around a DelayedStore, and one timer while there are any.
// Thread-safety: thread-safe.
class DelayedMessages : public std::enable_shared_from_this<DelayedMessages> {
 public:
  // Gets what has fallen due, in order; runs on the strand.
  using OnDue = absl::AnyInvocable<void(std::vector<LateMessage>)>;

  // Clock, timers and executor outlive it.
  static std::shared_ptr<DelayedMessages> Create(const Clock* clock,
                                                 TimerQueue* timers,
                                                 Executor* executor,
                                                 OnDue on_due);
  ~DelayedMessages();

  struct Addition {
    absl::Time due;
    LateMessage message;
  };
  // `done` runs once they are kept: from then on they come in time.
  void Add(std::vector<Addition> additions, Closure done);

  // Drops all, and what is added from now on.
  void Close();

 private:
  DelayedMessages(const Clock* clock, TimerQueue* timers, Executor* executor,
                  OnDue on_due)
      : clock_(clock),
        timers_(timers),
        strand_(executor),
        on_due_(std::move(on_due)) {}

  void Post(Closure closure);
  // Both on the strand.
  void ArmTimer();
  void SendDue();

  const Clock* const clock_;
  TimerQueue* const timers_;
  Strand strand_;

  // On the strand.
  OnDue on_due_;  // null once closed
  DelayedStore store_;
  TimerQueue::TimerId timer_ = TimerQueue::kNoTimer;
  absl::Time timer_time_ = absl::InfiniteFuture();
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_DELAYED_MESSAGES_H_
