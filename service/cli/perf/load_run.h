#ifndef KELPMQ_SERVICE_CLI_PERF_LOAD_RUN_H_
#define KELPMQ_SERVICE_CLI_PERF_LOAD_RUN_H_

#include <atomic>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "service/cli/connection.h"
#include "service/cli/perf/load_options.h"
#include "service/cli/perf/load_result.h"

namespace kelpmq::service::cli::perf {

struct LoadControl {
  // Raised from any thread, must outlive the run. 1 ends the measurement, and
  // once that is over the wait for what is still queued; 2 ends both.
  const std::atomic<int>* interrupts = nullptr;
  // Told twice a second how things go, in one line; may be empty.
  std::function<void(const std::string& line)> on_progress;
};

// Makes one load on the calling thread: declares its topology, starts its
// streams, measures, waits until all that was confirmed has come out again,
// and deletes what it declared. Failures of single messages are in the result;
// a stream that breaks is an error.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options,
                                   Connection* connection,
                                   const LoadControl& control);

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_LOAD_RUN_H_
