#ifndef KELPMQ_SERVICE_CLI_CLIENT_COMMANDS_H_
#define KELPMQ_SERVICE_CLI_CLIENT_COMMANDS_H_

#include <CLI/CLI.hpp>

namespace kelpmq::service {

// Adds the commands that are a client of a broker (`declare`, `publish`,
// `get`, ...) and `completion`. A command runs while `app` is parsed and sets
// `*exit_code` (cli/errors.h has the codes), which must outlive the parse.
// Lets `app` take one subcommand at most, so that a message's body may be a
// command's name.
void AddClientCommands(CLI::App* app, int* exit_code);

// What to do when parsing throws: prints the help that was asked for, or one
// line about the mistake and one about what to do, and gives the exit code
// (0 for help, 64 for a mistake).
int ReportParseError(const CLI::App& app, const CLI::ParseError& error);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_CLI_CLIENT_COMMANDS_H_
