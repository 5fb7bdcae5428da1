#include "service/resources/memory_limit.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace kelpmq::service {
namespace {

constexpr uint64_t kNoLimit = MemorySurroundings::kNoLimit;

// Version 1 writes "no limit" as the largest multiple of a page in 63 bits.
constexpr uint64_t kAsGoodAsNone = uint64_t{1} << 60;

// Less cannot be meant: the program itself is larger.
constexpr uint64_t kLeastLimit = 1024 * 1024;

// Where a hierarchy of control groups is mounted, and which part of it.
struct GroupMount {
  std::string root;
  std::string point;
};

// The first mount of version 2, and of version 1's memory controller.
struct GroupMounts {
  absl::optional<GroupMount> unified;
  absl::optional<GroupMount> memory;
};

// 31 23 0:28 /root /mount/point rw,relatime shared:1 - type source options
GroupMounts ParseMounts(absl::string_view mountinfo) {
  GroupMounts mounts;
  for (absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    const std::vector<absl::string_view> mount =
        absl::StrSplit(halves.first, ' ');
    const std::vector<absl::string_view> system =
        absl::StrSplit(halves.second, ' ');
    if (mount.size() < 5 || system.size() < 3) continue;
    const GroupMount found{std::string(mount[3]), std::string(mount[4])};
    const std::vector<absl::string_view> options =
        absl::StrSplit(system[2], ',');
    if (system[0] == "cgroup2" && !mounts.unified.has_value()) {
      mounts.unified = found;
    } else if (system[0] == "cgroup" && !mounts.memory.has_value() &&
               std::count(options.begin(), options.end(), "memory") > 0) {
      mounts.memory = found;
    }
  }
  return mounts;
}

// The group's own folder and those above it, down to the mount point.
std::vector<std::string> FoldersOf(absl::string_view group,
                                   const GroupMount& mount) {
  // A group that lies outside of what is mounted here shows as the mount point
  // itself: so it is in a container that sees its own group alone.
  absl::string_view below = group;
  if (mount.root != "/" && !absl::ConsumePrefix(&below, mount.root)) below = "";
  if (absl::StrContains(below, "..")) below = "";
  below = absl::StripSuffix(below, "/");
  std::vector<std::string> folders;
  while (!below.empty()) {
    folders.push_back(absl::StrCat(mount.point, below));
    below = below.substr(0, std::min(below.rfind('/'), below.size()));
  }
  folders.push_back(mount.point);
  return folders;
}

}  // namespace

std::vector<std::string> ControlGroupLimitFiles(absl::string_view cgroup,
                                                absl::string_view mountinfo) {
  const GroupMounts mounts = ParseMounts(mountinfo);
  std::vector<std::string> files;
  // 4:memory,cpu:/group, or, of version 2, 0::/group
  for (absl::string_view line : absl::StrSplit(cgroup, '\n')) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() < 3) continue;
    const std::vector<absl::string_view> controllers =
        absl::StrSplit(parts[1], ',');
    if (parts[1].empty() && mounts.unified.has_value()) {
      for (const std::string& folder : FoldersOf(parts[2], *mounts.unified)) {
        files.push_back(absl::StrCat(folder, "/memory.max"));
        files.push_back(absl::StrCat(folder, "/memory.high"));
      }
    } else if (std::count(controllers.begin(), controllers.end(), "memory") >
                   0 &&
               mounts.memory.has_value()) {
      for (const std::string& folder : FoldersOf(parts[2], *mounts.memory)) {
        files.push_back(absl::StrCat(folder, "/memory.limit_in_bytes"));
      }
    }
  }
  return files;
}

absl::optional<uint64_t> ParseControlGroupLimit(absl::string_view contents) {
  uint64_t bytes = 0;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(contents), &bytes) ||
      bytes >= kAsGoodAsNone) {
    return absl::nullopt;
  }
  return bytes;
}

MemoryLimit FindMemoryLimit(const MemorySurroundings& surroundings) {
  MemoryLimit limit{kNoLimit, "nothing"};
  const auto consider = [&limit](uint64_t bytes, absl::string_view source) {
    if (bytes < limit.bytes) limit = {bytes, std::string(source)};
  };
  consider(surroundings.machine_bytes, "the machine");
  for (const std::string& file :
       ControlGroupLimitFiles(surroundings.cgroup, surroundings.mountinfo)) {
    const auto contents = surroundings.read_file(file);
    if (!contents.has_value()) continue;
    if (const auto bytes = ParseControlGroupLimit(*contents)) {
      consider(*bytes, file);
    }
  }
  const auto consider_process_limit =
      [&consider](uint64_t bytes, uint64_t reserved, absl::string_view source) {
        if (bytes == kNoLimit) return;
        consider(bytes - std::min(bytes, reserved), source);
      };
  consider_process_limit(surroundings.address_space_limit,
                         surroundings.reserved_address_space, "RLIMIT_AS");
  consider_process_limit(surroundings.data_limit, surroundings.reserved_data,
                         "RLIMIT_DATA");
  limit.bytes = std::max(limit.bytes, kLeastLimit);
  return limit;
}

}  // namespace kelpmq::service
