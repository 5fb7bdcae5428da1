#include "service/resources/memory_mark.h"

#include <gtest/gtest.h>

namespace kelpmq::service {
namespace {

constexpr uint64_t kMiB = 1024 * 1024;

uint64_t Parsed(absl::string_view text, uint64_t limit = 1000 * kMiB) {
  const auto mark = MemoryMark::Parse(text);
  EXPECT_TRUE(mark.ok()) << text;
  return mark.ok() ? mark->BytesOf(limit) : UINT64_MAX;
}

TEST(MemoryMark, PercentIsAShareOfTheLimit) {
  EXPECT_EQ(Parsed("60%", 1000), 600u);
  EXPECT_EQ(Parsed("100%", 1000), 1000u);
  EXPECT_EQ(Parsed("1%", 3), 1u) << "a mark of 0 would be none";
}

TEST(MemoryMark, BytesDoNotDependOnTheLimit) {
  EXPECT_EQ(Parsed("1"), 1u);
  EXPECT_EQ(Parsed("123456789", 5), 123456789u);
}

TEST(MemoryMark, UnitsAreThoseOfRabbitMQAndKubernetes) {
  for (const char* text : {"2M", "2m", "2Mi", "2MiB", "2mib"}) {
    EXPECT_EQ(Parsed(text), 2 * kMiB) << text;
  }
  EXPECT_EQ(Parsed("2MB"), 2'000'000u);
  EXPECT_EQ(Parsed("3kB"), 3000u);
  EXPECT_EQ(Parsed("3k"), 3072u);
  EXPECT_EQ(Parsed("1G"), 1024 * kMiB);
  EXPECT_EQ(Parsed("1GB"), 1'000'000'000u);
}

TEST(MemoryMark, NoneIsNoMark) { EXPECT_EQ(Parsed("none"), 0u); }

TEST(MemoryMark, RefusesWhatIsNoAmount) {
  for (const char* text :
       {"", "0", "0%", "101%", "-1", "60 %", "1.5G", "12XB", "%", "MiB",
        "99999999999999999999", "99999999999G", " 1", "1 ", "None"}) {
    EXPECT_EQ(MemoryMark::Parse(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

}  // namespace
}  // namespace kelpmq::service
