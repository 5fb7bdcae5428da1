#include "service/cli/perf/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace kelpmq::service::cli::perf {
namespace {

TEST(Histogram, HasNothingAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.Quantile(0.99), 0);
  EXPECT_EQ(histogram.max(), 0);
}

TEST(Histogram, KeepsSmallValuesExactly) {
  Histogram histogram;
  for (int64_t value = 0; value < 256; ++value) histogram.Record(value);
  for (int64_t value = 0; value < 256; ++value) {
    EXPECT_EQ(histogram.Quantile(static_cast<double>(value + 1) / 256), value);
  }
}

TEST(Histogram, IsWithinOnePartIn128OfTheExactQuantile) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> latency(12, 3);
  Histogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 50'000; ++i) {
    values.push_back(static_cast<int64_t>(latency(random)));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<size_t>(
        std::ceil(share * static_cast<double>(values.size())));
    const int64_t exact = values[rank - 1];
    EXPECT_GE(histogram.Quantile(share), exact) << share;
    EXPECT_LE(histogram.Quantile(share), exact + exact / 128) << share;
  }
  EXPECT_EQ(histogram.max(), values.back());
}

TEST(Histogram, TakesTheLargestValueAndCountsNegativesAsZero) {
  Histogram histogram;
  histogram.Record(INT64_MAX);
  histogram.Record(-5);
  EXPECT_EQ(histogram.Quantile(1), INT64_MAX);
  EXPECT_EQ(histogram.Quantile(0.5), 0);
}

TEST(Histogram, ForgetsWhenCleared) {
  Histogram histogram;
  histogram.Record(1000);
  histogram.Clear();
  histogram.Record(7);
  EXPECT_EQ(histogram.count(), 1u);
  EXPECT_EQ(histogram.max(), 7);
  EXPECT_EQ(histogram.Quantile(1), 7);
}

}  // namespace
}  // namespace kelpmq::service::cli::perf
