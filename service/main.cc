#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "service/cli/client_commands.h"
#include "service/password_commands.h"
#include "service/serve_command.h"

namespace {

// Called as kelpmqd, the program is the broker alone: `kelpmqd --listen ...`.
bool IsBrokerName(absl::string_view program) {
  const size_t slash = program.rfind('/');
  if (slash != absl::string_view::npos) program.remove_prefix(slash + 1);
  return program == "kelpmqd";
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Time process_start = absl::Now();
  // Packaged Abseil looks for deadlocks at every lock that gRPC takes, which
  // shows in the cost of a call. Our own locks are not Abseil's.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  int exit_code = 0;
  CLI::App app("KelpMQ, a message broker with RabbitMQ's semantics over gRPC.",
               "kelpmq");
  app.set_version_flag("--version", "kelpmq " KELPMQ_VERSION);
  app.require_subcommand(1);
  kelpmq::service::AddServeCommand(&app, process_start, &exit_code);
  kelpmq::service::AddPasswordCommands(&app, &exit_code);
  kelpmq::service::AddClientCommands(&app, &exit_code);

  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (IsBrokerName(argv[0]) &&
      (arguments.empty() || arguments[0] != "--version")) {
    arguments.insert(arguments.begin(), "serve");
  }
  // CLI11 takes them last first.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return kelpmq::service::ReportParseError(app, error);
  }
  return exit_code;
}
