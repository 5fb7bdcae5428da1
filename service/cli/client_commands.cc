#include "service/cli/client_commands.h"

#include <memory>

#include "service/cli/command.h"
#include "service/cli/commands.h"

namespace kelpmq::service {
namespace {

constexpr char kFooter[] =
    "The first minute:\n"
    "  kelpmq serve &\n"
    "  kelpmq declare queue jobs\n"
    "  kelpmq publish --routing-key jobs hello\n"
    "  kelpmq get jobs\n"
    "\n"
    "Environment:\n"
    "  KELPMQ_ADDRESS   where client commands find the broker\n"
    "  KELPMQ_VHOST     the virtual host they work in\n"
    "  KELPMQ_USER      who they log in as, with KELPMQ_PASSWORD; or with\n"
    "                   KELPMQ_TOKEN alone\n"
    "  KELPMQ_TLS       1: by TLS\n"
    "  NO_COLOR         no colours\n"
    "\n"
    "Exit codes:\n"
    "  0   done\n"
    "  1   the broker refused, or something else went wrong\n"
    "  2   get: the queue is empty\n"
    "  64  the command line is wrong\n"
    "  69  no broker answers at the address";

}  // namespace

void AddClientCommands(CLI::App* app, int* exit_code) {
  // Commands added from here on inherit it.
  auto formatter = std::make_shared<cli::HelpFormatter>();
  app->formatter(formatter);
  for (CLI::App* earlier :
       app->get_subcommands([](CLI::App*) { return true; })) {
    earlier->formatter(formatter);
  }
  app->require_subcommand(static_cast<int>(app->get_require_subcommand_min()),
                          1);
  if (app->get_footer().empty()) app->footer(kFooter);
  cli::AddDeclareCommands(app, exit_code);
  cli::AddBindCommands(app, exit_code);
  cli::AddPublishCommand(app, exit_code);
  cli::AddGetCommand(app, exit_code);
  cli::AddConsumeCommand(app, exit_code);
  cli::AddDeleteCommands(app, exit_code);
  cli::AddListCommands(app, exit_code);
  cli::AddPolicyCommands(app, exit_code);
  cli::AddVhostCommands(app, exit_code);
  cli::AddUserCommands(app, exit_code);
  cli::AddPermissionCommands(app, exit_code);
  cli::AddDefinitionsCommands(app, exit_code);
  cli::AddStatusCommand(app, exit_code);
  cli::AddHealthcheckCommand(app, exit_code);
  cli::AddPerfCommand(app, exit_code);
  cli::AddAdvanceClockCommand(app, exit_code);
  cli::AddCompletionCommand(app, exit_code);
  cli::AddHelpCommand(app, exit_code);
}

}  // namespace kelpmq::service
