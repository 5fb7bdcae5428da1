#ifndef KELPMQ_SERVICE_CLI_PERF_PERF_FLAGS_H_
#define KELPMQ_SERVICE_CLI_PERF_PERF_FLAGS_H_

#include <CLI/CLI.hpp>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/cli/command.h"
#include "service/cli/perf/load_options.h"

namespace kelpmq::service::cli::perf {

struct PerfFlags {
  ClientFlags client;
  LoadOptions load;
  absl::Duration soak = absl::ZeroDuration();  // 0: one load
};

// Adds the flags of the load and of the run; `flags` must outlive the parse.
void AddPerfFlags(CLI::App* command, PerfFlags* flags);

// Whether the command line, as it was parsed, makes sense as a whole: no flag
// that another one would make do nothing, and a server that is there.
absl::Status CheckPerfFlags(const CLI::App& command, const PerfFlags& flags);

// Sees to it that requests stay within what the broker takes. Lowers the batch
// if it was not given on the command line, and else fails.
//   max_request_bytes: 0: not known.
absl::Status FitBatch(const CLI::App& command, uint64_t max_request_bytes,
                      LoadOptions* load);

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_PERF_FLAGS_H_
