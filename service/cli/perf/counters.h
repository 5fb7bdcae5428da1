#ifndef KELPMQ_SERVICE_CLI_PERF_COUNTERS_H_
#define KELPMQ_SERVICE_CLI_PERF_COUNTERS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "service/cli/perf/histogram.h"

namespace kelpmq::service::cli::perf {

// What the streams of a load have seen so far. Thread-safety: for one thread.
struct Counters {
  uint64_t published = 0;
  uint64_t confirmed = 0;  // without those that failed
  uint64_t failed = 0;     // refused by the broker
  uint64_t strangers = 0;  // of others, in a shared queue; not in `consumed`
  uint64_t unrouted = 0;   // taken, but no queue wanted them
  uint64_t consumed = 0;
  uint64_t acked = 0;  // with auto_ack: as consumed
  uint64_t redelivered = 0;
  // What must not be.
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t corrupt = 0;

  absl::Status first_failure;  // what ends the load

  // From the moment a message was due to be sent, in nanoseconds.
  Histogram delivery_latency;
  Histogram confirm_latency;  // once for each request
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_COUNTERS_H_
