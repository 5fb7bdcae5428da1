// `help`: what --help says, for those who look for it there.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/output.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

absl::Status PrintHelp(const CLI::App& app,
                       const std::vector<std::string>& words, Output* output) {
  const CLI::App* command = &app;
  for (const std::string& word : words) {
    const auto named = command->get_subcommands(
        [&word](const CLI::App* child) { return child->get_name() == word; });
    if (named.empty()) {
      return MakeFailure(ExitCode::kUsage,
                         absl::StrCat("there is no command '",
                                      OneLine(absl::StrJoin(words, " ")), "'"),
                         "see: kelpmq --help");
    }
    command = named.front();
  }
  output->PrintBytes(command->get_formatter()->make_help(
      command, CommandPath(command), CLI::AppFormatMode::Normal));
  return absl::OkStatus();
}

}  // namespace

void AddHelpCommand(CLI::App* app, int* exit_code) {
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* command = AddCommand(
      app, "help", "Explain a command, as its --help does",
      {"kelpmq help", "kelpmq help publish", "kelpmq help declare queue"});
  command->add_option("COMMAND", *words, "Its name, in one word or two");
  command->callback([app, words, exit_code] {
    Output output((OutputOptions()));
    *exit_code = output.Finish(PrintHelp(*app, *words, &output), Target());
  });
}

}  // namespace kelpmq::service::cli
