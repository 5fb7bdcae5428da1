#include "service/cli/perf/stamp.h"

#include <gtest/gtest.h>

#include <string>

namespace kelpmq::service::cli::perf {
namespace {

constexpr uint64_t kQueue = MeantFor(/*load=*/5, /*queue=*/7);

std::string Stamped(size_t size) {
  std::string body(size, '\0');
  FillBody(body.data(), size);
  WriteStamp({3, 123'456'789'012, 42}, kQueue, body.data(), size);
  return body;
}

TEST(Stamp, ComesBackFromBodiesOfAllSizes) {
  for (size_t size = kMinStampBytes; size < 200; ++size) {
    const auto stamp = ReadStamp(Stamped(size), kQueue);
    ASSERT_TRUE(stamp.has_value()) << size;
    EXPECT_EQ(stamp->producer, 3);
    EXPECT_EQ(stamp->sequence, 123'456'789'012u);
    EXPECT_EQ(stamp->sent_ns, size >= kTimedStampBytes ? 42 : 0) << size;
  }
}

TEST(Stamp, IsRefusedWhenAnyByteChanged) {
  for (const size_t size : {12, 19, 20, 52, 100}) {
    const std::string body = Stamped(size);
    for (size_t i = 0; i < size; ++i) {
      std::string damaged = body;
      damaged[i] ^= 0x10;
      EXPECT_FALSE(ReadStamp(damaged, kQueue).has_value())
          << "byte " << i << " of " << size;
    }
  }
}

TEST(Stamp, IsRefusedWhenBytesAreMissing) {
  const std::string body = Stamped(100);
  for (size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(ReadStamp(body.substr(0, size), kQueue).has_value()) << size;
  }
}

TEST(Stamp, IsRefusedInAnotherQueue) {
  EXPECT_FALSE(ReadStamp(Stamped(100), MeantFor(5, 8)).has_value());
}

TEST(Stamp, IsRefusedInAnotherLoad) {
  EXPECT_FALSE(ReadStamp(Stamped(100), MeantFor(6, 7)).has_value());
}

}  // namespace
}  // namespace kelpmq::service::cli::perf
