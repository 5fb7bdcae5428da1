#include "service/cli/perf/request_size.h"

#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include <string>

#include "service/cli/perf/message_source.h"

namespace kelpmq::service::cli::perf {
namespace {

constexpr uint64_t kLimit = 4 * 1024 * 1024;

// The largest request that a load makes around its bodies.
size_t RequestBytes(uint32_t size, uint32_t count) {
  LoadOptions options;
  options.size = size;
  options.exchange_type = "headers";
  options.durable = true;
  options.queues = 1000;
  const LoadTopology topology(options);
  MessageSource source(999, options, std::string(255, 'v'), &topology);
  return source.NextBatch(count, 1).Length();
}

TEST(LargestBatch, StaysWithinTheLimit) {
  for (const uint32_t size : {12u, 100u, 65'536u, 1'000'000u, 4'000'000u}) {
    const uint32_t count = LargestBatch(size, kLimit);
    ASSERT_GT(count, 0u) << size;
    EXPECT_LE(RequestBytes(size, count), kLimit) << size;
  }
}

TEST(LargestBatch, WastesLittle) {
  EXPECT_EQ(LargestBatch(65'536, kLimit), 63u);
}

TEST(LargestBatch, IsNothingForAMessageAboveTheLimit) {
  EXPECT_EQ(LargestBatch(kLimit, kLimit), 0u);
  EXPECT_EQ(LargestBatch(12, 100), 0u);
}

}  // namespace
}  // namespace kelpmq::service::cli::perf
