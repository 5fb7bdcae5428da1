#include "service/resources/memory_alarm.h"

#include <gtest/gtest.h>

#include "tests/testing/fake_clock.h"
#include "tests/testing/manual_executor.h"

namespace kelpmq::service {
namespace {

using testing::FakeClock;
using testing::ManualExecutor;

constexpr uint64_t kMiB = 1024 * 1024;
constexpr uint64_t kMark = 100 * kMiB;

class FakeMemory : public MemorySource {
 public:
  uint64_t UsedBytes() override {
    ++readings;
    return live + freed;
  }
  void GiveBackFreed() override {
    ++given_back;
    freed = 0;
  }

  uint64_t live = 0;
  uint64_t freed = 0;  // and kept by the allocator
  int readings = 0;
  int given_back = 0;
};

class MemoryAlarmTest : public ::testing::Test {
 protected:
  MemoryAlarmTest() { alarm_.Begin({2 * kMark, kMark}); }

  void Pass(absl::Duration time) {
    clock_.Advance(time);
    timers_.RunDue();
    executor_.RunAll();
  }

  FakeClock clock_;
  ManualExecutor executor_;
  TimerQueue timers_{&clock_, &executor_};
  FakeMemory memory_;
  const Log log_;
  int changes_ = 0;
  MemoryAlarm alarm_{&memory_, &clock_, &timers_, &log_,
                     [this] { ++changes_; }};
};

TEST_F(MemoryAlarmTest, ReadsOnlyOnceInAWhile) {
  const int before = memory_.readings;
  for (int i = 0; i < 1000; ++i) alarm_.TookIn(100);
  EXPECT_EQ(memory_.readings, before);
  alarm_.TookIn(kMiB);
  EXPECT_EQ(memory_.readings, before + 1);
}

TEST_F(MemoryAlarmTest, GoesOnWhenWhatIsTakenInPassesTheMark) {
  memory_.live = kMark;
  EXPECT_FALSE(alarm_.on());
  alarm_.TookIn(kMiB);
  EXPECT_TRUE(alarm_.on());
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(alarm_.raised_count(), 1u);
}

TEST_F(MemoryAlarmTest, GoesOffByItselfOnceThereIsRoom) {
  memory_.live = kMark;
  alarm_.Look();
  Pass(absl::Seconds(1));
  EXPECT_TRUE(alarm_.on());
  memory_.live = kMark / 2;
  Pass(absl::Seconds(1));
  EXPECT_FALSE(alarm_.on());
  EXPECT_EQ(changes_, 2);
}

TEST_F(MemoryAlarmTest, SetsNoTimerUnlessItIsOn) {
  EXPECT_EQ(timers_.NextDue(), absl::InfiniteFuture());
  memory_.live = kMark;
  alarm_.Look();
  EXPECT_NE(timers_.NextDue(), absl::InfiniteFuture());
  memory_.live = 0;
  Pass(absl::Seconds(1));
  EXPECT_EQ(timers_.NextDue(), absl::InfiniteFuture());
}

TEST_F(MemoryAlarmTest, OneTimerHoweverOftenItChanges) {
  for (int i = 0; i < 5; ++i) {
    memory_.live = kMark;
    alarm_.Look();
    memory_.live = 0;
    alarm_.Look();
  }
  memory_.live = kMark;
  alarm_.Look();
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(timers_.RunDue(), 1);
}

TEST_F(MemoryAlarmTest, MemoryThatTheAllocatorKeepsRaisesNoAlarm) {
  memory_.live = kMark / 2;
  memory_.freed = kMark;
  alarm_.Look();
  EXPECT_FALSE(alarm_.on());
  EXPECT_EQ(memory_.given_back, 1);
}

TEST_F(MemoryAlarmTest, MemoryThatTheAllocatorKeepsProlongsNoAlarm) {
  memory_.live = kMark;
  alarm_.Look();
  memory_.live = kMark / 4;
  memory_.freed = kMark;
  Pass(AlarmRules::kLongestPause);
  EXPECT_FALSE(alarm_.on());
}

TEST_F(MemoryAlarmTest, BeginTakesALook) {
  FakeMemory memory;
  memory.live = 1;
  MemoryAlarm alarm(&memory, &clock_, &timers_, &log_, [] {});
  EXPECT_FALSE(alarm.on());
  alarm.Begin({kMark, 1});
  EXPECT_TRUE(alarm.on());
}

TEST_F(MemoryAlarmTest, WithoutAMarkReadsNothing) {
  FakeMemory memory;
  MemoryAlarm alarm(&memory, &clock_, &timers_, &log_, [] {});
  alarm.Begin({kMark, 0});
  alarm.TookIn(kMark);
  alarm.Look();
  EXPECT_FALSE(alarm.on());
  EXPECT_EQ(memory.readings, 0);
}

}  // namespace
}  // namespace kelpmq::service
