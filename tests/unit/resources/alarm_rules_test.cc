#include "service/resources/alarm_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kelpmq::service {
namespace {

constexpr absl::Time kStart = absl::UnixEpoch();

TEST(AlarmRules, GoesOnAtTheMark) {
  AlarmRules rules(1000);
  rules.Judge(999);
  EXPECT_FALSE(rules.on());
  rules.Judge(1000);
  EXPECT_TRUE(rules.on());
}

TEST(AlarmRules, GoesOffOnlyWellBelowTheMark) {
  AlarmRules rules(1000);
  rules.Judge(1000);
  rules.Judge(900);
  EXPECT_TRUE(rules.on());
  rules.Judge(899);
  EXPECT_FALSE(rules.on());
  rules.Judge(999);
  EXPECT_FALSE(rules.on());
}

TEST(AlarmRules, WithoutAMarkNeverGoesOn) {
  AlarmRules rules(0);
  rules.Judge(UINT64_MAX);
  EXPECT_FALSE(rules.on());
  EXPECT_FALSE(rules.ShouldGiveBack(UINT64_MAX, kStart));
}

TEST(AlarmRules, LowMarkOfTheLargestMarkDoesNotOverflow) {
  EXPECT_EQ(AlarmRules(UINT64_MAX).low_bytes(), 16602069666338596453u);
  EXPECT_EQ(AlarmRules(1).low_bytes(), 0u);
}

TEST(AlarmRules, LooksLessAndLessOftenWhileNothingHappens) {
  AlarmRules rules(1000);
  rules.Judge(1000);
  EXPECT_EQ(rules.next_look(), AlarmRules::kSoonestLook);
  for (int i = 0; i < 20; ++i) rules.Judge(1000);
  EXPECT_EQ(rules.next_look(), AlarmRules::kLatestLook);
  rules.Judge(999);
  EXPECT_EQ(rules.next_look(), AlarmRules::kSoonestLook);
}

TEST(AlarmRules, GivesBackOnlyWhenThatCouldChangeTheJudgement) {
  AlarmRules rules(1000);
  EXPECT_FALSE(rules.ShouldGiveBack(999, kStart));
  EXPECT_TRUE(rules.ShouldGiveBack(1000, kStart));
  rules.Judge(1000);
  EXPECT_TRUE(rules.ShouldGiveBack(900, kStart));
  EXPECT_FALSE(rules.ShouldGiveBack(899, kStart));
}

TEST(AlarmRules, PausesBetweenTwoTimesOfGivingBack) {
  AlarmRules rules(1000);
  rules.GaveBack(1500, 1100, kStart);
  EXPECT_FALSE(rules.ShouldGiveBack(
      1100, kStart + AlarmRules::kShortestPause - absl::Nanoseconds(1)));
  EXPECT_TRUE(rules.ShouldGiveBack(1100, kStart + AlarmRules::kShortestPause));
}

TEST(AlarmRules, PausesLongerTheLessItBrings) {
  AlarmRules rules(1000);
  absl::Time now = kStart;
  absl::Duration pause = AlarmRules::kShortestPause;
  for (int i = 0; i < 10; ++i) {
    rules.GaveBack(1500, 1490, now);
    pause = std::min(2 * pause, AlarmRules::kLongestPause);
    EXPECT_FALSE(
        rules.ShouldGiveBack(1490, now + pause - absl::Nanoseconds(1)));
    now += pause;
    EXPECT_TRUE(rules.ShouldGiveBack(1490, now));
  }
  rules.GaveBack(1500, 1400, now);
  EXPECT_TRUE(rules.ShouldGiveBack(1400, now + AlarmRules::kShortestPause));
}

TEST(AlarmRules, MemoryThatGrewWhileItWasGivenBackCountsAsLittle) {
  AlarmRules rules(1000);
  rules.GaveBack(1500, 1600, kStart);
  EXPECT_FALSE(rules.ShouldGiveBack(1600, kStart + AlarmRules::kShortestPause));
}

}  // namespace
}  // namespace kelpmq::service
