#include "service/base/manual_time.h"

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/strand.h"
#include "tests/testing/manual_executor.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using testing::ManualExecutor;

class ManualTimeTest : public ::testing::Test {
 protected:
  absl::Time Now() const { return time_.clock()->Now(); }
  absl::Duration Elapsed() const { return Now() - kStart; }
  void At(absl::Duration since_start, Closure closure) {
    time_.timers()->Schedule(kStart + since_start, std::move(closure));
  }
  // True once the move has been answered.
  std::shared_ptr<bool> Advance(absl::Duration by) {
    auto answered = std::make_shared<bool>(false);
    time_.Advance(by, [this, answered](absl::Time now) {
      EXPECT_EQ(now, Now());
      *answered = true;
    });
    return answered;
  }

  const absl::Time kStart = absl::FromUnixSeconds(1'000'000'000);
  ManualExecutor executor_;
  ManualTime time_{kStart, &executor_};
};

TEST_F(ManualTimeTest, StandsStillUntilItIsMoved) {
  EXPECT_EQ(Now(), kStart);
  const auto answered = Advance(absl::Seconds(5));
  executor_.RunAll();
  EXPECT_TRUE(*answered);
  EXPECT_EQ(Elapsed(), absl::Seconds(5));
}

TEST_F(ManualTimeTest, EverythingRunsAtItsOwnTime) {
  std::vector<absl::Duration> ran;
  for (int seconds : {3, 1, 2, 9}) {
    At(absl::Seconds(seconds), [&] { ran.push_back(Elapsed()); });
  }
  const auto answered = Advance(absl::Seconds(5));
  executor_.RunAll();
  EXPECT_TRUE(*answered);
  EXPECT_THAT(
      ran, ElementsAre(absl::Seconds(1), absl::Seconds(2), absl::Seconds(3)));
  EXPECT_EQ(Elapsed(), absl::Seconds(5));
}

TEST_F(ManualTimeTest, WhatFollowsMaySetTimersThatAreDueAsWell) {
  std::vector<absl::Duration> ran;
  At(absl::Seconds(1), [&] {
    ran.push_back(Elapsed());
    At(absl::Seconds(2), [&] { ran.push_back(Elapsed()); });
    At(absl::ZeroDuration(), [&] { ran.push_back(Elapsed()); });
  });
  const auto answered = Advance(absl::Seconds(2));
  executor_.RunAll();
  EXPECT_TRUE(*answered);
  EXPECT_THAT(
      ran, ElementsAre(absl::Seconds(1), absl::Seconds(1), absl::Seconds(2)));
}

TEST_F(ManualTimeTest, AnswersOnlyAfterWhatABusyStrandHasToRun) {
  auto strand = std::make_shared<Strand>(&executor_);
  bool ran = false;
  At(absl::Seconds(1), [&] { strand->Post(strand, [&ran] { ran = true; }); });
  std::shared_ptr<bool> answered;
  strand->Post(strand, [&] {
    answered = Advance(absl::Seconds(1));
    executor_.RunAll();
    EXPECT_FALSE(*answered) << "the strand is held";
  });
  EXPECT_TRUE(ran);
  executor_.RunAll();
  EXPECT_TRUE(*answered);
}

TEST_F(ManualTimeTest, MovesThatAreAskedForAtOnceAddUp) {
  At(absl::Seconds(1), [] {});
  const auto first = Advance(absl::Seconds(1));
  const auto second = Advance(absl::Seconds(2));
  EXPECT_FALSE(*second);
  executor_.RunAll();
  EXPECT_TRUE(*first);
  EXPECT_TRUE(*second);
  EXPECT_EQ(Elapsed(), absl::Seconds(3));
}

TEST_F(ManualTimeTest, MovingByNothingRunsWhatIsDueAlready) {
  bool ran = false;
  At(absl::Seconds(-1), [&] { ran = true; });
  const auto answered = Advance(absl::ZeroDuration());
  executor_.RunAll();
  EXPECT_TRUE(ran);
  EXPECT_TRUE(*answered);
  EXPECT_EQ(Now(), kStart);
}

}  // namespace
}  // namespace kelpmq::service
