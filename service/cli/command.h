#ifndef KELPMQ_SERVICE_CLI_COMMAND_H_
#define KELPMQ_SERVICE_CLI_COMMAND_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/cli/connection.h"
#include "service/cli/connection_settings.h"
#include "service/cli/output.h"

namespace kelpmq::service::cli {

// Flags that every client command has: where the broker is, how to print.
struct ClientFlags {
  ConnectionSettings connection;
  OutputOptions output;
};

enum class VhostFlag { kYes, kNo };

// Adds the flags of `flags` to `command`; it must outlive the parse.
void AddClientFlags(CLI::App* command, ClientFlags* flags,
                    VhostFlag vhost = VhostFlag::kYes);

// A command. Its --help ends with its examples, one a line.
//   notes: what one line of description cannot say; above the examples.
CLI::App* AddCommand(CLI::App* parent, const std::string& name,
                     const std::string& description,
                     const std::vector<std::string>& examples,
                     const std::string& notes = "");

// A command that only holds others (`declare`), of which one must be given.
// Its --help says how to see theirs.
CLI::App* AddGroup(CLI::App* parent, const std::string& name,
                   const std::string& description);

// What is typed to call the command: "kelpmq declare queue".
std::string CommandPath(const CLI::App* command);

// An option that may be repeated, with one value each time. CLI11's default
// would also eat the positionals that follow.
CLI::Option* AddRepeatable(CLI::App* command, const std::string& name,
                           std::vector<std::string>* values,
                           const std::string& description);

// An option for a length of time: "1.5" (seconds), "500ms", "2m".
CLI::Option* AddDuration(CLI::App* command, const std::string& name,
                         absl::Duration* duration,
                         const std::string& description);

// A check of an option's value. CLI11's own range explains itself with
// floating-point numbers.
CLI::Validator WholeNumber(uint64_t min, uint64_t max);

// A check of a length of time: above 0, or 0 too, and at most a year.
enum class Zero { kAllowed, kRefused };
CLI::Validator UpToAYear(Zero zero);

// Checks of an option that takes one of a few words; a mistake is answered with
// all of them. The second puts the value of the word in its place.
CLI::Validator OneOf(std::vector<std::string> words);
template <typename Enum>
CLI::Validator OneOf(std::vector<std::pair<std::string, Enum>> choices) {
  std::vector<std::string> words;
  for (const auto& choice : choices) words.push_back(choice.first);
  return CLI::Validator(
      [choices = std::move(choices),
       known = OneOf(std::move(words))](std::string& text) -> std::string {
        std::string mistake = known(text);
        for (const auto& [word, value] : choices) {
          if (text != word) continue;
          text = std::to_string(static_cast<int64_t>(value));
          break;
        }
        return mistake;
      },
      /*validator_desc=*/"");
}

// --help that fits a terminal of 80 columns, with one blank line between groups
// and with defaults and environment variables behind the descriptions instead
// of before them.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_description(const CLI::App* app) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_option(const CLI::Option* option,
                          bool is_positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_option_usage(const CLI::Option* option) const override;

 private:
  // A name, and what it means in a column beside or, if it is long, below it.
  std::string Entry(const std::string& name, absl::string_view text) const;
};

// Calls `run` with a connection (which does nothing before its first call) and
// an output made from the flags and the environment, and reports what it
// returns, or why there is no connection. Gives the process's exit code.
int RunConnected(const ClientFlags& flags,
                 const std::function<absl::Status(Connection*, Output*)>& run);

// Makes `command` do so when it is parsed. `Flags` starts with a ClientFlags
// named `client`.
template <typename Flags>
void OnRun(CLI::App* command, std::shared_ptr<Flags> flags, int* exit_code,
           absl::Status (*run)(const Flags&, Connection*, Output*)) {
  command->callback([flags = std::move(flags), exit_code, run] {
    *exit_code = RunConnected(
        flags->client, [&flags, run](Connection* connection, Output* output) {
          return run(*flags, connection, output);
        });
  });
}

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_COMMAND_H_
