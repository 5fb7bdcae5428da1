#ifndef KELPMQ_SERVICE_RESOURCES_MEMORY_SOURCE_H_
#define KELPMQ_SERVICE_RESOURCES_MEMORY_SOURCE_H_

#include <cstdint>

namespace kelpmq::service {

// Where readings of this process's memory come from.
// Thread-safety: implementations are thread-safe.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  // Bytes that the process holds, in use or not. Cheap: some microseconds.
  virtual uint64_t UsedBytes() = 0;
  // Gives the system back what the allocator keeps of freed memory. Costly:
  // milliseconds.
  virtual void GiveBackFreed() = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RESOURCES_MEMORY_SOURCE_H_
