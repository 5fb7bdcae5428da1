#include "service/resources/memory_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kMiB = 1024 * 1024;

constexpr char kMounts2[] =
    "24 1 0:22 / /proc rw,nosuid - proc proc rw\n"
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
constexpr char kMounts1[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
    "33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup "
    "rw,memory\n";

// Surroundings with these files.
MemorySurroundings With(std::string cgroup, std::string mountinfo,
                        std::map<std::string, std::string> files) {
  MemorySurroundings surroundings;
  surroundings.cgroup = std::move(cgroup);
  surroundings.mountinfo = std::move(mountinfo);
  surroundings.machine_bytes = 1000 * kMiB;
  surroundings.read_file =
      [files = std::move(files)](
          const std::string& path) -> absl::optional<std::string> {
    auto it = files.find(path);
    if (it == files.end()) return absl::nullopt;
    return it->second;
  };
  return surroundings;
}

TEST(ControlGroupLimitFiles, Version2HasThoseOfAllGroupsAbove) {
  EXPECT_THAT(
      ControlGroupLimitFiles("0::/pod/app\n", kMounts2),
      ElementsAre("/sys/fs/cgroup/pod/app/memory.max",
                  "/sys/fs/cgroup/pod/app/memory.high",
                  "/sys/fs/cgroup/pod/memory.max",
                  "/sys/fs/cgroup/pod/memory.high", "/sys/fs/cgroup/memory.max",
                  "/sys/fs/cgroup/memory.high"));
}

TEST(ControlGroupLimitFiles, InAContainerTheGroupIsTheMountPoint) {
  EXPECT_THAT(
      ControlGroupLimitFiles("0::/\n", kMounts2),
      ElementsAre("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.high"));
  EXPECT_THAT(
      ControlGroupLimitFiles("0::/../other\n", kMounts2),
      ElementsAre("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.high"));
}

TEST(ControlGroupLimitFiles, Version1HasItsMemoryController) {
  EXPECT_THAT(
      ControlGroupLimitFiles("9:name=systemd:/x\n4:cpu,memory:/docker/1\n",
                             kMounts1),
      ElementsAre("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes",
                  "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
                  "/sys/fs/cgroup/memory/memory.limit_in_bytes"));
}

TEST(ControlGroupLimitFiles, OfAPartThatIsMountedItIsThatPart) {
  const char kMounts[] =
      "33 31 0:30 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup "
      "rw,memory\n";
  EXPECT_THAT(ControlGroupLimitFiles("4:memory:/docker/1/a\n", kMounts),
              ElementsAre("/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
                          "/sys/fs/cgroup/memory/memory.limit_in_bytes"));
  EXPECT_THAT(ControlGroupLimitFiles("4:memory:/elsewhere\n", kMounts),
              ElementsAre("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
}

TEST(ControlGroupLimitFiles, NoneWithoutGroupsOrMounts) {
  EXPECT_THAT(ControlGroupLimitFiles("", kMounts2), IsEmpty());
  EXPECT_THAT(ControlGroupLimitFiles("0::/\n", ""), IsEmpty());
  EXPECT_THAT(ControlGroupLimitFiles("4:cpu:/\n", kMounts1), IsEmpty());
  EXPECT_THAT(ControlGroupLimitFiles("rubbish", "rubbish\n - \n"), IsEmpty());
}

TEST(ParseControlGroupLimit, ReadsNumbersAndNothingElse) {
  EXPECT_EQ(ParseControlGroupLimit("268435456\n"), 268435456u);
  EXPECT_EQ(ParseControlGroupLimit("max\n"), absl::nullopt);
  EXPECT_EQ(ParseControlGroupLimit("9223372036854771712\n"), absl::nullopt);
  EXPECT_EQ(ParseControlGroupLimit(""), absl::nullopt);
}

TEST(FindMemoryLimit, IsTheMachineWithoutOthers) {
  const MemoryLimit limit = FindMemoryLimit(
      With("0::/\n", kMounts2, {{"/sys/fs/cgroup/memory.max", "max\n"}}));
  EXPECT_EQ(limit.bytes, 1000 * kMiB);
  EXPECT_EQ(limit.source, "the machine");
}

TEST(FindMemoryLimit, IsTheSmallestOfAllGroups) {
  const MemoryLimit limit = FindMemoryLimit(
      With("0::/pod/app\n", kMounts2,
           {{"/sys/fs/cgroup/pod/app/memory.max", "max\n"},
            {"/sys/fs/cgroup/pod/app/memory.high", "209715200\n"},
            {"/sys/fs/cgroup/pod/memory.max", "104857600\n"}}));
  EXPECT_EQ(limit.bytes, 100 * kMiB);
  EXPECT_EQ(limit.source, "/sys/fs/cgroup/pod/memory.max");
}

TEST(FindMemoryLimit, AGroupMayBeAllowedMoreThanThereIs) {
  EXPECT_EQ(FindMemoryLimit(With("4:memory:/\n", kMounts1,
                                 {{"/sys/fs/cgroup/memory/"
                                   "memory.limit_in_bytes",
                                   "4294967296\n"}}))
                .bytes,
            1000 * kMiB);
}

TEST(FindMemoryLimit, ProcessLimitsCountLessWhatIsOnlyReserved) {
  MemorySurroundings surroundings = With("", "", {});
  surroundings.data_limit = 300 * kMiB;
  surroundings.reserved_data = 80 * kMiB;
  EXPECT_EQ(FindMemoryLimit(surroundings).bytes, 220 * kMiB);
  EXPECT_EQ(FindMemoryLimit(surroundings).source, "RLIMIT_DATA");
  surroundings.address_space_limit = 600 * kMiB;
  surroundings.reserved_address_space = 500 * kMiB;
  EXPECT_EQ(FindMemoryLimit(surroundings).bytes, 100 * kMiB);
}

TEST(FindMemoryLimit, IsNeverNothing) {
  MemorySurroundings surroundings = With("", "", {});
  surroundings.data_limit = 10 * kMiB;
  surroundings.reserved_data = 80 * kMiB;
  EXPECT_EQ(FindMemoryLimit(surroundings).bytes, kMiB);
}

TEST(FindMemoryLimit, OfThisProcessIsFound) {
  const MemorySurroundings surroundings = ReadMemorySurroundings(0);
  EXPECT_GT(FindMemoryLimit(surroundings).bytes, kMiB);
  EXPECT_GE(ReadMemorySurroundings(10).reserved_data,
            surroundings.reserved_data + 10 * kMiB);
}

}  // namespace
}  // namespace kelpmq::service
