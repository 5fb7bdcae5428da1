#include "service/base/timer_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "tests/testing/fake_clock.h"
#include "tests/testing/manual_executor.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::FakeClock;
using ::kelpmq::service::testing::ManualExecutor;
using ::testing::ElementsAre;

class TimerQueueTest : public ::testing::Test {
 protected:
  TimerQueue::TimerId In(absl::Duration delay, int name) {
    return timers_.Schedule(clock_.Now() + delay,
                            [this, name] { ran_.push_back(name); });
  }
  // How many closures fell due.
  int Pass(absl::Duration time) {
    clock_.Advance(time);
    const int due = timers_.RunDue();
    executor_.RunAll();
    return due;
  }

  FakeClock clock_;
  ManualExecutor executor_;
  TimerQueue timers_{&clock_, &executor_};
  std::vector<int> ran_;
};

TEST_F(TimerQueueTest, RunsWhatIsDueInOrderOfTime) {
  In(absl::Seconds(3), 3);
  In(absl::Seconds(1), 1);
  In(absl::Seconds(2), 2);
  EXPECT_EQ(Pass(absl::Seconds(2)), 2);
  EXPECT_THAT(ran_, ElementsAre(1, 2));
  EXPECT_EQ(Pass(absl::Seconds(1)), 1);
  EXPECT_THAT(ran_, ElementsAre(1, 2, 3));
}

TEST_F(TimerQueueTest, EqualTimesRunInOrderOfScheduling) {
  for (int i = 0; i < 5; ++i) In(absl::Seconds(1), i);
  Pass(absl::Seconds(1));
  EXPECT_THAT(ran_, ElementsAre(0, 1, 2, 3, 4));
}

TEST_F(TimerQueueTest, NothingIsDueBeforeItsTime) {
  In(absl::Seconds(1), 1);
  EXPECT_EQ(Pass(absl::Seconds(1) - absl::Nanoseconds(1)), 0);
  EXPECT_EQ(Pass(absl::Nanoseconds(1)), 1);
}

TEST_F(TimerQueueTest, CancelledTimersDoNotRun) {
  const TimerQueue::TimerId id = In(absl::Seconds(1), 1);
  EXPECT_TRUE(timers_.Cancel(id));
  EXPECT_FALSE(timers_.Cancel(id));
  EXPECT_EQ(Pass(absl::Seconds(1)), 0);
}

TEST_F(TimerQueueTest, CancelSaysWhenItComesTooLate) {
  const TimerQueue::TimerId id = In(absl::Seconds(1), 1);
  clock_.Advance(absl::Seconds(1));
  timers_.RunDue();
  EXPECT_FALSE(timers_.Cancel(id));
  EXPECT_FALSE(timers_.Cancel(TimerQueue::kNoTimer));
}

TEST_F(TimerQueueTest, ACancelledClosureMayCallTheTimersWhenItDies) {
  struct CancelsAnother {
    TimerQueue* timers;
    TimerQueue::TimerId other;
    ~CancelsAnother() { timers->Cancel(other); }
  };
  const TimerQueue::TimerId other = In(absl::Seconds(1), 1);
  auto owned = std::make_shared<CancelsAnother>();
  owned->timers = &timers_;
  owned->other = other;
  const TimerQueue::TimerId id = timers_.Schedule(
      clock_.Now() + absl::Seconds(1), [owned = std::move(owned)] {});
  EXPECT_TRUE(timers_.Cancel(id));
  EXPECT_FALSE(timers_.Cancel(other));
}

TEST(TimerQueueThread, RunsWhatIsDueAndForgetsTheRestAtTheEnd) {
  RealClock clock;
  ManualExecutor executor;
  bool ran = false;
  {
    TimerQueue timers(&clock, &executor);
    timers.Start();
    timers.Schedule(absl::InfiniteFuture(), [] { FAIL(); });
    timers.Schedule(clock.Now() + absl::Milliseconds(1),
                    [&ran] { ran = true; });
    while (!ran) {
      executor.RunAll();
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(executor.RunAll(), 0);
}

}  // namespace
}  // namespace kelpmq::service
