#include "service/base/manual_time.h"

#include <algorithm>
#include <utility>

#include "service/base/aftermath.h"

namespace kelpmq::service {

void ManualTime::Advance(absl::Duration by, Done done) {
  Move move{by, std::move(done)};
  {
    MutexLock lock(&mu_);
    if (moving_) {
      waiting_.push_back(std::move(move));
      return;
    }
    moving_ = true;
  }
  Begin(std::move(move));
}

void ManualTime::Begin(Move move) {
  Step(clock_.Now() + move.by, std::move(move.done));
}

void ManualTime::Step(absl::Time target, Done done) {
  const absl::Time due = timers_.NextDue();
  if (due > target || due == absl::InfiniteFuture()) {
    return Finish(target, std::move(done));
  }
  clock_.Set(std::max(due, clock_.Now()));
  Aftermath::Follow(
      executor_, [this] { timers_.RunDue(); },
      [this, target, done = std::move(done)]() mutable {
        Step(target, std::move(done));
      });
}

void ManualTime::Finish(absl::Time target, Done done) {
  clock_.Set(target);
  Move next;
  bool has_next = false;
  // Before `done`, so that who hears of the end and moves on is not kept
  // waiting for itself.
  {
    MutexLock lock(&mu_);
    has_next = !waiting_.empty();
    if (has_next) {
      next = std::move(waiting_.front());
      waiting_.pop_front();
    } else {
      moving_ = false;
    }
  }
  std::move(done)(target);
  if (has_next) Begin(std::move(next));
}

}  // namespace kelpmq::service
