#include "service/cli/perf/sequence_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace kelpmq::service::cli::perf {
namespace {

TEST(SequenceCheck, TakesEachNumberOnceInOrder) {
  SequenceCheck check;
  for (uint64_t i = 0; i < 1000; ++i) EXPECT_TRUE(check.Add(i));
  for (uint64_t i = 0; i < 1000; ++i) EXPECT_FALSE(check.Add(i)) << i;
  EXPECT_EQ(check.count(), 1000u);
}

TEST(SequenceCheck, CountsWhatCameAroundAGap) {
  SequenceCheck check;
  EXPECT_TRUE(check.Add(0));
  EXPECT_TRUE(check.Add(2));
  EXPECT_FALSE(check.Add(2));
  EXPECT_FALSE(check.Add(0));
  EXPECT_EQ(check.count(), 2u);
  EXPECT_TRUE(check.Add(1));
  EXPECT_FALSE(check.Add(2));
  EXPECT_TRUE(check.Add(3));
  EXPECT_EQ(check.count(), 4u);
}

TEST(SequenceCheck, AgreesWithASetOnShuffledNumbersWithRepeats) {
  std::mt19937 random(5);
  SequenceCheck check;
  std::set<uint64_t> model;
  std::vector<uint64_t> numbers;
  for (uint64_t i = 0; i < 20'000; ++i) {
    numbers.push_back(i);
    if (i % 7 == 0) numbers.push_back(i);
  }
  // Displaced by up to 300 places, as by competing consumers.
  for (size_t i = 0; i + 300 < numbers.size(); i += 100) {
    std::shuffle(numbers.begin() + static_cast<ptrdiff_t>(i),
                 numbers.begin() + static_cast<ptrdiff_t>(i + 300), random);
  }
  for (const uint64_t number : numbers) {
    ASSERT_EQ(check.Add(number), model.insert(number).second) << number;
    ASSERT_EQ(check.count(), model.size());
  }
}

}  // namespace
}  // namespace kelpmq::service::cli::perf
