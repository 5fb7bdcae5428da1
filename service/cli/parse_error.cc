// ReportParseError: a wrong command line, explained.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/cli/client_commands.h"
#include "service/cli/output.h"
#include "service/cli/text.h"

namespace kelpmq::service {
namespace {

// Farther apart, two names are no slip of the fingers.
constexpr int kMaxSlip = 2;

// The command that was being parsed: the last one recognised.
const CLI::App* Innermost(const CLI::App* app) {
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().back();
  }
  return app;
}

std::string PathOf(const CLI::App* command) {
  std::string path;
  for (; command != nullptr; command = command->get_parent()) {
    const std::string name =
        command->get_parent() == nullptr ? "kelpmq" : command->get_name();
    path = path.empty() ? name : absl::StrCat(name, " ", path);
  }
  return path;
}

std::vector<std::string> SubcommandNames(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* child :
       command.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(child->get_name());
  }
  return names;
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

// The name that was meant, or empty.
std::string Nearest(absl::string_view typed,
                    const std::vector<std::string>& names) {
  std::string nearest;
  int best = kMaxSlip + 1;
  for (const std::string& name : names) {
    const int distance = cli::EditDistance(typed, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

cli::FailureReport Explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = Innermost(&app);
  const std::string path = PathOf(command);
  cli::FailureReport report;
  report.exit_code = cli::ExitCode::kUsage;
  report.line = error.what();
  // "A subcommand is required", but not "QUEUE is required".
  const bool is_sentence =
      report.line.size() > 1 &&
      !absl::ascii_isupper(static_cast<unsigned char>(report.line[1]));
  if (is_sentence) {
    report.line[0] =
        absl::ascii_tolower(static_cast<unsigned char>(report.line[0]));
  }
  report.hint = absl::StrCat("see: ", path, " --help");

  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  if (extras.empty()) return report;
  const std::string& extra = extras.front();
  const std::vector<std::string> subcommands = SubcommandNames(*command);
  std::string meant;
  if (absl::StartsWith(extra, "-")) {
    const std::string name = extra.substr(0, extra.find('='));
    report.line =
        absl::StrCat("'", path, "' has no option '", cli::OneLine(name), "'");
    meant = Nearest(name, OptionNames(*command));
  } else if (!subcommands.empty()) {
    report.line =
        absl::StrCat("'", path, "' has no command '", cli::OneLine(extra), "'");
    meant = Nearest(extra, subcommands);
  }
  if (!meant.empty()) report.hint = absl::StrCat("did you mean ", meant, "?");
  return report;
}

}  // namespace

int ReportParseError(const CLI::App& app, const CLI::ParseError& error) {
  // Help and version are thrown too.
  if (error.get_exit_code() == 0) return app.exit(error);
  const cli::FailureReport report = Explain(app, error);
  cli::Output(cli::OutputOptions()).Report(report);
  return static_cast<int>(report.exit_code);
}

}  // namespace kelpmq::service
