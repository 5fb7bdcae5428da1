#ifndef KELPMQ_SERVICE_CLI_COMMANDS_H_
#define KELPMQ_SERVICE_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>

namespace kelpmq::service::cli {

// Each adds its commands to `app`; a command that is parsed runs and sets
// `*exit_code`, which must outlive the parse.
void AddDeclareCommands(CLI::App* app, int* exit_code);
void AddBindCommands(CLI::App* app, int* exit_code);
void AddPublishCommand(CLI::App* app, int* exit_code);
void AddGetCommand(CLI::App* app, int* exit_code);
void AddConsumeCommand(CLI::App* app, int* exit_code);
void AddDeleteCommands(CLI::App* app, int* exit_code);  // delete and purge
void AddListCommands(CLI::App* app, int* exit_code);
void AddUserLists(CLI::App* list_group, int* exit_code);
void AddStatusCommand(CLI::App* app, int* exit_code);
void AddHealthcheckCommand(CLI::App* app, int* exit_code);
void AddAdvanceClockCommand(CLI::App* app, int* exit_code);
void AddPolicyCommands(CLI::App* app, int* exit_code);
void AddPerfCommand(CLI::App* app, int* exit_code);
void AddVhostCommands(CLI::App* app, int* exit_code);
void AddUserCommands(CLI::App* app, int* exit_code);
void AddPermissionCommands(CLI::App* app, int* exit_code);
void AddDefinitionsCommands(CLI::App* app, int* exit_code);
// These two read `app`, the whole tree, when they run.
void AddCompletionCommand(CLI::App* app, int* exit_code);
void AddHelpCommand(CLI::App* app, int* exit_code);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_COMMANDS_H_
