#include "client/cpp/src/backoff.h"

#include <gtest/gtest.h>

namespace kelpmq::client {
namespace {

BackoffOptions Options() {
  BackoffOptions options;
  options.initial = absl::Milliseconds(100);
  options.max = absl::Seconds(1);
  options.multiplier = 3;
  options.jitter = 0.5;
  return options;
}

TEST(Backoff, GrowsByTheMultiplierUpToTheMaximum) {
  Backoff backoff(Options());
  EXPECT_EQ(backoff.Next(0), absl::Milliseconds(100));
  EXPECT_EQ(backoff.Next(0), absl::Milliseconds(300));
  EXPECT_EQ(backoff.Next(0), absl::Milliseconds(900));
  EXPECT_EQ(backoff.Next(0), absl::Seconds(1));
  EXPECT_EQ(backoff.Next(0), absl::Seconds(1));
}

TEST(Backoff, ChanceTakesOffUpToTheJitter) {
  Backoff backoff(Options());
  EXPECT_EQ(backoff.Next(1), absl::Milliseconds(50));
  EXPECT_EQ(backoff.Next(0.5), absl::Milliseconds(225));
}

TEST(Backoff, BeginsAnewAfterReset) {
  Backoff backoff(Options());
  backoff.Next(0);
  backoff.Next(0);
  backoff.Reset();
  EXPECT_EQ(backoff.Next(0), absl::Milliseconds(100));
}

}  // namespace
}  // namespace kelpmq::client
