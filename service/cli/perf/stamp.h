#ifndef KELPMQ_SERVICE_CLI_PERF_STAMP_H_
#define KELPMQ_SERVICE_CLI_PERF_STAMP_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace kelpmq::service::cli::perf {

// What a message of the load says of itself: who sent it, as which one, and
// when it was to be sent. A checksum covers the whole body, and what the body
// does not name: the load it belongs to, and the queue it was meant for.
struct Stamp {
  uint16_t producer = 0;
  uint64_t sequence = 0;  // below 2^48; of this producer, for this queue
  int64_t sent_ns = 0;    // 0: the body is too small to say
};

// The smallest body that holds producer, sequence and checksum, and the
// smallest that also holds the time.
inline constexpr size_t kMinStampBytes = 12;
inline constexpr size_t kTimedStampBytes = 20;

// Fills `body` with bytes that no two offsets share in a row; a stamp goes over
// the first of them.
void FillBody(char* body, size_t size);

// Load and queue as one number.
constexpr uint64_t MeantFor(uint32_t load, uint32_t queue) {
  return uint64_t{load} << 32 | queue;
}

// Writes the stamp into a body of at least kMinStampBytes.
void WriteStamp(const Stamp& stamp, uint64_t meant_for, char* body,
                size_t size);

// None: the body was damaged, is of another load (or of none), or was meant for
// another queue.
std::optional<Stamp> ReadStamp(absl::string_view body, uint64_t meant_for);

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_STAMP_H_
