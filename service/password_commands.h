#ifndef KELPMQ_SERVICE_PASSWORD_COMMANDS_H_
#define KELPMQ_SERVICE_PASSWORD_COMMANDS_H_

#include <CLI/CLI.hpp>

namespace kelpmq::service {

// `hash-password` and `make-token`: what a users file takes, made without a
// broker. A command that is parsed runs and sets `*exit_code`.
void AddPasswordCommands(CLI::App* app, int* exit_code);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_PASSWORD_COMMANDS_H_
