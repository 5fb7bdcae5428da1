// ReportParseError: a wrong command line, explained.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "service/cli/client_commands.h"
#include "service/cli/command.h"
#include "service/cli/output.h"
#include "service/cli/suggestion.h"
#include "service/cli/text.h"

namespace kelpmq::service {
namespace {

using cli::CommandPath;
using cli::OneLine;

// The command that was being parsed: the last one recognised.
const CLI::App* Innermost(const CLI::App* app) {
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().back();
  }
  return app;
}

std::vector<const CLI::App*> Children(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App*) { return true; });
}

std::string ChildNames(const CLI::App& command) {
  return absl::StrJoin(Children(command), ", ",
                       [](std::string* out, const CLI::App* child) {
                         out->append(child->get_name());
                       });
}

// "list", "list queues", ...: all commands below `command`, as typed after it.
void AddPaths(const CLI::App& command, const std::string& prefix,
              std::vector<std::string>* paths) {
  for (const CLI::App* child : Children(command)) {
    paths->push_back(absl::StrCat(prefix, child->get_name()));
    AddPaths(*child, absl::StrCat(paths->back(), " "), paths);
  }
}

std::vector<std::string> OptionNames(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back(absl::StrCat("--", name));
    }
  }
  return names;
}

std::string DidYouMean(const std::string& name) {
  return absl::StrCat("did you mean ", name, "?");
}

// An option that the command does not have, or not in that place.
//   is_early: it stands before the command.
void ExplainOption(const CLI::App& command, const std::string& typed,
                   bool is_early, cli::FailureReport* report) {
  const std::string path = CommandPath(&command);
  const std::string name = typed.substr(0, typed.find('='));
  if (is_early && command.get_option_no_throw(name) != nullptr) {
    report->line = absl::StrCat("'", name, "' stands before the command");
    report->hint = absl::StrCat("options follow it: ", path, " ", name, " ...");
    return;
  }
  report->line =
      absl::StrCat("'", path, "' has no option '", OneLine(name), "'");
  const std::string meant = cli::MeantOption(name, OptionNames(command));
  if (!meant.empty()) report->hint = DidYouMean(meant);
}

// A word where `command` wants the name of a command.
void ExplainCommand(const CLI::App& command, const std::string& typed,
                    const std::string& following, cli::FailureReport* report) {
  report->line = absl::StrCat("'", CommandPath(&command), "' has no command '",
                              OneLine(typed), "'");
  std::vector<std::string> paths;
  AddPaths(command, "", &paths);
  const std::string meant = cli::MeantCommand(typed, following, paths);
  if (meant.empty()) return;
  report->hint =
      DidYouMean(absl::StrContains(meant, ' ')
                     ? absl::StrCat(CommandPath(&command), " ", meant)
                     : meant);
}

// One argument more than the command has names for.
void ExplainArgument(const CLI::App& command, const std::string& typed,
                     cli::FailureReport* report) {
  report->line = absl::StrCat("'", OneLine(typed), "' is one too many for '",
                              CommandPath(&command), "'");
  // rabbitmqadmin writes options so: durable=true.
  const size_t equals = typed.find('=');
  if (equals == std::string::npos) return;
  const std::string meant = cli::NearestName(
      absl::StrCat("--",
                   absl::StrReplaceAll(typed.substr(0, equals), {{"_", "-"}})),
      OptionNames(command));
  if (!meant.empty()) report->hint = DidYouMean(meant);
}

// CLI11's own words, made alike: "--count: 'x' is no number".
std::string Reworded(const CLI::App& command, const CLI::ParseError& error) {
  std::string line = error.what();
  absl::string_view rest = line;
  const size_t equals = line.find(" = ");
  if (absl::ConsumePrefix(&rest, "Could not convert: ") &&
      equals != std::string::npos) {
    const std::string name(rest.substr(0, rest.find(" = ")));
    const CLI::Option* option = command.get_option_no_throw(name);
    const bool is_flag =
        option != nullptr && option->get_items_expected_max() == 0;
    return absl::StrCat(name, ": '", OneLine(line.substr(equals + 3)), "' is ",
                        is_flag ? "neither true nor false" : "no number");
  }
  // "The ..." starts a sentence, "QUEUE is required" does not.
  const bool is_sentence =
      line.size() > 1 &&
      !absl::ascii_isupper(static_cast<unsigned char>(line[1]));
  if (is_sentence) {
    line[0] = absl::ascii_tolower(static_cast<unsigned char>(line[0]));
  }
  return line;
}

// "KELPMQ_IO_THREADS is 'x'; " if the option that `line` begins with may have
// its bad value from there; else empty.
std::string EnvironmentHint(const CLI::App& command, const std::string& line) {
  const CLI::Option* option =
      command.get_option_no_throw(line.substr(0, line.find(':')));
  if (option == nullptr || option->get_envname().empty()) return "";
  const char* value = std::getenv(option->get_envname().c_str());
  return value == nullptr ? ""
                          : absl::StrCat(option->get_envname(), " is '",
                                         OneLine(value), "'; ");
}

cli::FailureReport Explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = Innermost(&app);
  cli::FailureReport report;
  report.exit_code = cli::ExitCode::kUsage;
  report.line = Reworded(*command, error);
  report.hint = absl::StrCat(EnvironmentHint(*command, report.line),
                             "see: ", CommandPath(command), " --help");

  // What the program itself could not place comes before the command.
  const std::vector<std::string> early = app.remaining();
  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  if (!extras.empty()) {
    const std::string& extra = extras.front();
    if (absl::StartsWith(extra, "-")) {
      ExplainOption(*command, extra, /*is_early=*/!early.empty(), &report);
    } else if (!early.empty()) {
      const std::string following = command == &app
                                        ? (early.size() > 1 ? early[1] : "")
                                        : app.get_subcommands()[0]->get_name();
      report.hint = "see: kelpmq --help";
      ExplainCommand(app, extra, following, &report);
    } else if (!Children(*command).empty()) {
      ExplainCommand(*command, extra, /*following=*/"", &report);
    } else {
      ExplainArgument(*command, extra, &report);
    }
  } else if (const std::string names = ChildNames(*command); !names.empty()) {
    report.line =
        absl::StrCat("'", CommandPath(command), "' needs one of: ", names);
  }
  return report;
}

}  // namespace

int ReportParseError(const CLI::App& app, const CLI::ParseError& error) {
  // Help and version are thrown too.
  if (error.get_exit_code() == 0) return app.exit(error);
  const bool is_bare =
      Innermost(&app) == &app && app.remaining(/*recurse=*/true).empty();
  if (is_bare) {
    std::fputs(app.help().c_str(), stderr);
    return static_cast<int>(cli::ExitCode::kUsage);
  }
  const cli::FailureReport report = Explain(app, error);
  cli::Output(cli::OutputOptions()).Report(report);
  return static_cast<int>(report.exit_code);
}

}  // namespace kelpmq::service
