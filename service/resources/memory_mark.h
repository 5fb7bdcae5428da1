#ifndef KELPMQ_SERVICE_RESOURCES_MEMORY_MARK_H_
#define KELPMQ_SERVICE_RESOURCES_MEMORY_MARK_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kelpmq::service {

// How much memory is too much: a share of the limit, or a number of bytes.
class MemoryMark {
 public:
  // No mark: there is never too much.
  static MemoryMark None() { return MemoryMark(0, 0); }
  static MemoryMark Percent(uint32_t percent) { return MemoryMark(percent, 0); }
  static MemoryMark Bytes(uint64_t bytes) { return MemoryMark(0, bytes); }

  // "60%" (1 to 100), "512MiB", "1000000" (1 and more), "none". Units are, in
  // either case and as RabbitMQ has them, k, M, G and kiB, MiB, GiB (and
  // Kubernetes' Ki, Mi, Gi) for powers of 1024, kB, MB, GB for those of 1000.
  //   kInvalidArgument: anything else.
  static absl::StatusOr<MemoryMark> Parse(absl::string_view text);

  // In bytes, of a process that may have `limit`; 0: no mark.
  uint64_t BytesOf(uint64_t limit) const;

 private:
  MemoryMark(uint32_t percent, uint64_t bytes)
      : percent_(percent), bytes_(bytes) {}

  uint32_t percent_;  // 0: bytes_ counts
  uint64_t bytes_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RESOURCES_MEMORY_MARK_H_
