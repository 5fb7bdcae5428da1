#ifndef KELPMQ_SERVICE_CLI_OUTPUT_H_
#define KELPMQ_SERVICE_CLI_OUTPUT_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/cli/errors.h"
#include "service/cli/table.h"

namespace kelpmq::service::cli {

struct OutputOptions {
  bool json = false;
  std::string color = "auto";  // auto, always or never
};

// What a command prints: results to stdout, everything else to stderr, so that
// a pipe gets results alone.
// Thread-safety: the functions for stderr are thread-safe, the others are for
// one thread. Made and owned by the command.
class Output {
 public:
  explicit Output(const OutputOptions& options);

  bool json() const { return options_.json; }

  // To stdout. Text lines are not escaped: that is the caller's part.
  void PrintLine(absl::string_view line);
  void PrintBytes(absl::string_view bytes);
  void PrintTable(const Table& table);
  // One line without blanks, for streams of objects.
  void PrintJsonLine(const nlohmann::ordered_json& value);
  // Indented, for a single answer.
  void PrintJson(const nlohmann::ordered_json& value);

  // What became of a thing: as JSON {"created": ...} or {"deleted": ...}, or in
  // words, with the name on one line.
  //   kind: "policy", "vhost", "exchange"
  void PrintPut(absl::string_view kind, absl::string_view name, bool created);
  void PrintDeleted(absl::string_view kind, absl::string_view name,
                    bool deleted);
  // Hands all printed so far to the system. A failure (disk full, reader gone)
  // must stop the command before it acknowledges what it could not print.
  absl::Status Flush();

  // To stderr: something worth knowing that is no failure.
  void Note(absl::string_view text);
  void Warn(absl::string_view text, absl::string_view hint = "");
  // One failure of several; Finish reports the last.
  void Report(const FailureReport& report);

  // A line on stderr that the next one overwrites; only on a terminal.
  void ShowProgress(absl::string_view text);
  void ClearProgress();
  bool shows_progress() const { return stderr_is_terminal_; }

  // Flushes, reports a failure, and gives the process's exit code.
  int Finish(const absl::Status& status, const Target& target);

 private:
  // `text` between terminal codes if stderr is coloured.
  std::string Coloured(absl::string_view code, absl::string_view text) const;

  const OutputOptions options_;
  const bool stderr_is_terminal_;
  const bool colour_stdout_;
  const bool colour_stderr_;
};

// JSON text; strings that are no UTF-8 come out with replacement characters.
std::string ToText(const nlohmann::ordered_json& value, int indent = -1);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_OUTPUT_H_
