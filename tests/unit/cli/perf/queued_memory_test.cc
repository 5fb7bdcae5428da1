#include "service/cli/perf/queued_memory.h"

#include <gtest/gtest.h>

namespace kelpmq::service::cli::perf {
namespace {

TEST(BytesPerQueuedMessage, IsTheGrowthOverTheMessages) {
  EXPECT_EQ(BytesPerQueuedMessage(1'000, 13'000, 100, 100), 120.0);
}

TEST(BytesPerQueuedMessage, IsNotKnownWhenTheBodiesNeedMoreThanTheGrowth) {
  EXPECT_FALSE(BytesPerQueuedMessage(1'000, 10'999, 100, 100).has_value());
  EXPECT_FALSE(BytesPerQueuedMessage(2'000, 1'000, 100, 100).has_value());
}

TEST(BytesPerQueuedMessage, IsNotKnownWithoutMessages) {
  EXPECT_FALSE(BytesPerQueuedMessage(1'000, 2'000, 0, 100).has_value());
}

}  // namespace
}  // namespace kelpmq::service::cli::perf
