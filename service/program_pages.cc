#include "service/program_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

// Where the program's code begins and ends: defined by the linker.
extern "C" const char __executable_start;
extern "C" const char etext;

namespace kelpmq::service {

void ReleaseProgramPages() {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin =
      (reinterpret_cast<uintptr_t>(&__executable_start) + page - 1) / page *
      page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(&etext) / page * page;
  if (begin >= end) return;
  // Only saves memory: if it fails, nothing is lost.
  (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace kelpmq::service
