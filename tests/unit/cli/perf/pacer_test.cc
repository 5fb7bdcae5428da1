#include "service/cli/perf/pacer.h"

#include <gtest/gtest.h>

namespace kelpmq::service::cli::perf {
namespace {

TEST(Pacer, WithoutRateEverythingIsDueNow) {
  Pacer pacer(0, 1000);
  pacer.Sent();
  EXPECT_FALSE(pacer.paced());
  EXPECT_EQ(pacer.DueAt(5555), 5555);
}

TEST(Pacer, LateRequestsKeepTheirTimes) {
  Pacer pacer(1000, 500);
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(pacer.DueAt(/*now_ns=*/9'000'000'000), 500 + i * 1'000'000);
    pacer.Sent();
  }
}

}  // namespace
}  // namespace kelpmq::service::cli::perf
