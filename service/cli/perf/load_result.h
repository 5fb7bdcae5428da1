#ifndef KELPMQ_SERVICE_CLI_PERF_LOAD_RESULT_H_
#define KELPMQ_SERVICE_CLI_PERF_LOAD_RESULT_H_

#include <cstdint>
#include <optional>

#include "service/cli/perf/load_options.h"

namespace kelpmq::service::cli::perf {

// Latencies in microseconds; all 0 if there were none.
struct LatencySummary {
  uint64_t count = 0;
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
};

// What came of a load. Rates, CPU and latencies are of the measured time
// alone; the counts at the end are of the whole run.
struct LoadResult {
  LoadOptions options;
  double seconds = 0;  // that were measured; 0: interrupted before
  bool interrupted = false;

  double published_per_second = 0;
  double confirmed_per_second = 0;
  double consumed_per_second = 0;
  double acked_per_second = 0;
  uint64_t messages = 0;           // confirmed in the measured time
  uint64_t consumed = 0;           // in the measured time
  LatencySummary latency;          // to delivery
  LatencySummary confirm_latency;  // to the publisher confirm

  double client_cpu_seconds = 0;
  std::optional<double> server_cpu_seconds;  // these need the server's pid
  std::optional<double> foreign_cpu_cores;
  std::optional<uint64_t> server_rss_bytes;
  std::optional<double> bytes_per_queued_message;  // and queued messages
  bool memory_was_reused = false;                  // why the last is not known

  uint64_t published_total = 0;
  uint64_t consumed_total = 0;
  uint64_t failed = 0;     // refused by a full queue
  uint64_t strangers = 0;  // of others, in the queue that was to be used
  // Confirmed but not waited for, since there was an interrupt.
  uint64_t not_awaited = 0;
  uint64_t unrouted = 0;
  uint64_t redelivered = 0;
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t corrupt = 0;

  // Everything that the broker took arrived once, whole and in order.
  bool correct() const {
    return lost == 0 && duplicated == 0 && reordered == 0 && corrupt == 0;
  }
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_LOAD_RESULT_H_
