#ifndef KELPMQ_SERVICE_CLI_PERF_SOAK_H_
#define KELPMQ_SERVICE_CLI_PERF_SOAK_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/cli/connection.h"
#include "service/cli/output.h"
#include "service/cli/perf/load_options.h"
#include "service/cli/perf/load_run.h"

namespace kelpmq::service::cli::perf {

// Makes one load after the other until `duration` is over: each with other
// settings (sizes, batches, queues, types of exchange), from the declaration to
// the deletion, so that what is never freed adds up. Prints a line for each,
// JSON or text. Ends early, with an error, once a message is lost, duplicated,
// reordered, corrupt or refused; and in order, once interrupted.
absl::Status RunSoak(const LoadOptions& options, absl::Duration duration,
                     Connection* connection, Output* output,
                     const LoadControl& control);

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_SOAK_H_
