#ifndef KELPMQ_SERVICE_SERVE_COMMAND_H_
#define KELPMQ_SERVICE_SERVE_COMMAND_H_

#include <CLI/CLI.hpp>

#include "absl/time/time.h"

namespace kelpmq::service {

// Adds `serve`, which runs a broker until SIGTERM or SIGINT and sets
// `*exit_code`: 0 after a drain, 64 for settings that make no sense, 69 for an
// address that cannot be had, 70 for anything else.
//   process_start: what the time to readiness is counted from.
void AddServeCommand(CLI::App* app, absl::Time process_start, int* exit_code);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_SERVE_COMMAND_H_
