#ifndef KELPMQ_SERVICE_RESOURCES_MEMORY_LIMIT_H_
#define KELPMQ_SERVICE_RESOURCES_MEMORY_LIMIT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace kelpmq::service {

// How much memory this process may have, before the kernel takes it away or
// ends the process.
struct MemoryLimit {
  uint64_t bytes = 0;
  std::string source;  // for people: "the control group", "the machine", ...
};

// What the system says about this process.
struct MemorySurroundings {
  static constexpr uint64_t kNoLimit = UINT64_MAX;

  std::string cgroup;     // contents of /proc/self/cgroup
  std::string mountinfo;  // contents of /proc/self/mountinfo
  // Contents of a file; nothing if there is none.
  std::function<absl::optional<std::string>(const std::string& path)> read_file;
  uint64_t machine_bytes = kNoLimit;
  uint64_t address_space_limit = kNoLimit;  // RLIMIT_AS
  uint64_t data_limit = kNoLimit;           // RLIMIT_DATA
  // What counts against these two though no memory stands behind it: the unused
  // parts of stacks and heaps.
  uint64_t reserved_address_space = 0;
  uint64_t reserved_data = 0;
};

// The smallest of all limits; of control groups (version 1 and 2) those of the
// process's own group and of all above it that can be seen from here.
MemoryLimit FindMemoryLimit(const MemorySurroundings& surroundings);

// The files that hold the limits of the process's control groups.
//   cgroup, mountinfo: as in MemorySurroundings.
std::vector<std::string> ControlGroupLimitFiles(absl::string_view cgroup,
                                                absl::string_view mountinfo);

// What such a file says: a number of bytes; nothing for "max", for version 1's
// number that is as good as none, and for what is no number.
absl::optional<uint64_t> ParseControlGroupLimit(absl::string_view contents);

// Asks the kernel.
//   threads_to_come: that many will be started yet, whose stacks are counted as
//   reserved already.
MemorySurroundings ReadMemorySurroundings(int threads_to_come);

// Under RLIMIT_AS or RLIMIT_DATA: all threads share one heap from now on. Else
// each has one, and what one keeps free, no other can have, though it counts.
// For the whole process; call it before there are threads.
void ShareHeapUnderProcessLimits();

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RESOURCES_MEMORY_LIMIT_H_
