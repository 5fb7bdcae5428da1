#include "service/resources/process_memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace kelpmq::service {

ProcessMemory::ProcessMemory()
    : statm_(open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}

ProcessMemory::~ProcessMemory() {
  if (statm_ >= 0) close(statm_);
}

ProcessMemory::Usage ProcessMemory::Read() const {
  std::array<char, 256> contents;  // seven numbers
  const ssize_t size =
      pread(statm_, contents.data(), contents.size(), /*offset=*/0);
  if (size <= 0) return {};
  return Parse({contents.data(), static_cast<size_t>(size)},
               static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

ProcessMemory::Usage ProcessMemory::Parse(absl::string_view contents,
                                          uint64_t page_bytes) {
  // Address space, resident, resident and of files, code, 0, data, 0.
  const std::vector<absl::string_view> words =
      absl::StrSplit(absl::StripAsciiWhitespace(contents), ' ');
  uint64_t address_space = 0;
  uint64_t resident = 0;
  uint64_t shared = 0;
  uint64_t data = 0;
  if (words.size() < 6 || !absl::SimpleAtoi(words[0], &address_space) ||
      !absl::SimpleAtoi(words[1], &resident) ||
      !absl::SimpleAtoi(words[2], &shared) ||
      !absl::SimpleAtoi(words[5], &data) || shared > resident) {
    return {};
  }
  return {(resident - shared) * page_bytes, resident * page_bytes,
          address_space * page_bytes, data * page_bytes};
}

void ProcessMemory::GiveBackFreed() { malloc_trim(0); }

}  // namespace kelpmq::service
