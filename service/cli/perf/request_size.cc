#include "service/cli/perf/request_size.h"

#include <algorithm>
#include <limits>

namespace kelpmq::service::cli::perf {
namespace {

// More than MessageSource puts around the messages of a request (a vhost and a
// queue of 255 bytes each), and around a body (the headers of a headers
// exchange).
constexpr uint64_t kRequestBytes = 1024;
constexpr uint64_t kItemBytes = 96;

}  // namespace

uint32_t LargestBatch(uint32_t size, uint64_t max_request_bytes) {
  if (max_request_bytes < kRequestBytes) return 0;
  return static_cast<uint32_t>(std::min<uint64_t>(
      (max_request_bytes - kRequestBytes) / (uint64_t{size} + kItemBytes),
      std::numeric_limits<uint32_t>::max()));
}

}  // namespace kelpmq::service::cli::perf
