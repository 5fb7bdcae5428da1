#include "service/engine/memory/delayed_messages.h"

#include <utility>

namespace kelpmq::service {
namespace {

// Sent as one batch: enough to share what a batch costs, and few enough for
// the strand to let others in between.
constexpr size_t kMaxBatch = 1024;

}  // namespace

std::shared_ptr<DelayedMessages> DelayedMessages::Create(const Clock* clock,
                                                         TimerQueue* timers,
                                                         Executor* executor,
                                                         OnDue on_due) {
  return std::shared_ptr<DelayedMessages>(
      new DelayedMessages(clock, timers, executor, std::move(on_due)));
}

DelayedMessages::~DelayedMessages() {
  if (timer_ != TimerQueue::kNoTimer) timers_->Cancel(timer_);
}

void DelayedMessages::Add(std::vector<Addition> additions, Closure done) {
  Post([this, additions = std::move(additions),
        done = std::move(done)]() mutable {
    if (on_due_ != nullptr) {
      for (Addition& addition : additions) {
        store_.Add(addition.due, std::move(addition.message));
      }
      ArmTimer();
    }
    std::move(done)();
  });
}

void DelayedMessages::Close() {
  Post([this] {
    on_due_ = nullptr;
    store_ = DelayedStore();
    ArmTimer();
  });
}

void DelayedMessages::Post(Closure closure) {
  strand_.Post(shared_from_this(), std::move(closure));
}

void DelayedMessages::ArmTimer() {
  const absl::Time due = store_.next_due();
  if (due == timer_time_) return;
  if (timer_ != TimerQueue::kNoTimer) timers_->Cancel(timer_);
  timer_ = TimerQueue::kNoTimer;
  timer_time_ = due;
  if (due == absl::InfiniteFuture()) return;
  timer_ = timers_->Schedule(due, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (self == nullptr) return;
    self->Post([self = self.get()] {
      self->timer_ = TimerQueue::kNoTimer;
      self->timer_time_ = absl::InfiniteFuture();
      self->SendDue();
    });
  });
}

void DelayedMessages::SendDue() {
  std::vector<LateMessage> due = store_.TakeDue(clock_->Now(), kMaxBatch);
  const bool may_be_more = due.size() == kMaxBatch;
  if (!due.empty()) on_due_(std::move(due));
  if (may_be_more) {
    Post([this] { SendDue(); });
  } else {
    ArmTimer();
  }
}

}  // namespace kelpmq::service
