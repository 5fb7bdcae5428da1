#ifndef KELPMQ_SERVICE_RESOURCES_PROCESS_MEMORY_H_
#define KELPMQ_SERVICE_RESOURCES_PROCESS_MEMORY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "service/resources/memory_source.h"

namespace kelpmq::service {

// The memory of this process, as the kernel counts it. A reading is one system
// call. Thread-safety: thread-safe.
class ProcessMemory : public MemorySource {
 public:
  struct Usage {
    uint64_t own_bytes = 0;       // resident, and backed by no file
    uint64_t resident_bytes = 0;  // the program's own pages too
    uint64_t address_space_bytes = 0;
    uint64_t data_bytes = 0;  // what RLIMIT_DATA counts, stacks included
  };

  ProcessMemory();
  ~ProcessMemory() override;
  ProcessMemory(const ProcessMemory&) = delete;
  ProcessMemory& operator=(const ProcessMemory&) = delete;

  // All zero if the kernel does not tell.
  Usage Read() const;

  // own_bytes: what cannot be had back by dropping a file's pages.
  uint64_t UsedBytes() override { return Read().own_bytes; }
  // Whole pages that were freed and that the allocator has kept. Takes some
  // milliseconds for each gigabyte of them.
  void GiveBackFreed() override;

  // `contents`: of /proc/self/statm, in pages of `page_bytes`.
  static Usage Parse(absl::string_view contents, uint64_t page_bytes);

 private:
  const int statm_;  // a descriptor; negative: there is none
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RESOURCES_PROCESS_MEMORY_H_
