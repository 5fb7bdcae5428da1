#include "service/resources/process_memory.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kelpmq::service {
namespace {

TEST(ProcessMemory, CountsPagesThatNoFileBacks) {
  const auto usage =
      ProcessMemory::Parse("142496 789 507 3587 0 23103 0\n", 4096);
  EXPECT_EQ(usage.own_bytes, (789u - 507) * 4096);
  EXPECT_EQ(usage.resident_bytes, 789u * 4096);
  EXPECT_EQ(usage.address_space_bytes, 142496u * 4096);
  EXPECT_EQ(usage.data_bytes, 23103u * 4096);
}

TEST(ProcessMemory, ReadsNothingFromWhatItDoesNotUnderstand) {
  for (const char* contents : {"", "1 2 3", "a b c d e f g", "9 1 2 0 0 3 0"}) {
    EXPECT_EQ(ProcessMemory::Parse(contents, 4096).own_bytes, 0u) << contents;
  }
}

TEST(ProcessMemory, SeesWhatThisProcessTakes) {
  ProcessMemory memory;
  const uint64_t before = memory.UsedBytes();
  constexpr size_t kBytes = 64 * 1024 * 1024;
  const std::vector<char> much(kBytes, 'x');
  EXPECT_GE(memory.UsedBytes(), before + kBytes / 2);
}

}  // namespace
}  // namespace kelpmq::service
