// ReadMemorySurroundings: where the rules of memory_limit.cc meet the system.
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "service/resources/memory_limit.h"
#include "service/resources/process_memory.h"

namespace kelpmq::service {
namespace {

absl::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

uint64_t ProcessLimit(__rlimit_resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return MemorySurroundings::kNoLimit;
  }
  return limit.rlim_cur;
}

uint64_t DefaultStackBytes() {
  pthread_attr_t attributes;
  size_t bytes = 0;
  if (pthread_getattr_default_np(&attributes) != 0) return 0;
  if (pthread_attr_getstacksize(&attributes, &bytes) != 0) bytes = 0;
  pthread_attr_destroy(&attributes);
  return bytes;
}

}  // namespace

MemorySurroundings ReadMemorySurroundings(int threads_to_come) {
  MemorySurroundings surroundings;
  surroundings.cgroup = ReadFile("/proc/self/cgroup").value_or("");
  surroundings.mountinfo = ReadFile("/proc/self/mountinfo").value_or("");
  surroundings.read_file = ReadFile;
  const long pages = sysconf(_SC_PHYS_PAGES);     // NOLINT(google-runtime-int)
  const long page_bytes = sysconf(_SC_PAGESIZE);  // NOLINT(google-runtime-int)
  if (pages > 0 && page_bytes > 0) {
    surroundings.machine_bytes =
        static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes);
  }
  surroundings.address_space_limit = ProcessLimit(RLIMIT_AS);
  surroundings.data_limit = ProcessLimit(RLIMIT_DATA);
  const ProcessMemory::Usage usage = ProcessMemory().Read();
  surroundings.reserved_address_space =
      usage.address_space_bytes -
      std::min(usage.address_space_bytes, usage.own_bytes);
  surroundings.reserved_data =
      usage.data_bytes - std::min(usage.data_bytes, usage.own_bytes);
  const uint64_t stacks =
      static_cast<uint64_t>(threads_to_come) * DefaultStackBytes();
  surroundings.reserved_address_space += stacks;
  surroundings.reserved_data += stacks;
  return surroundings;
}

void ShareHeapUnderProcessLimits() {
  if (ProcessLimit(RLIMIT_AS) == MemorySurroundings::kNoLimit &&
      ProcessLimit(RLIMIT_DATA) == MemorySurroundings::kNoLimit) {
    return;
  }
  // Only saves memory: if it fails, nothing is lost.
  (void)mallopt(M_ARENA_MAX, 1);
}

}  // namespace kelpmq::service
