#include "service/cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

constexpr absl::string_view kRed = "\x1b[1;31m";
constexpr absl::string_view kYellow = "\x1b[33m";
constexpr absl::string_view kReset = "\x1b[0m";

bool UsesColour(const std::string& when, int fd) {
  if (when != "auto") return when == "always";
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return isatty(fd) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

void Write(std::FILE* file, absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file);
}

}  // namespace

Output::Output(const OutputOptions& options)
    : options_(options),
      stderr_is_terminal_(isatty(STDERR_FILENO) == 1),
      colour_stdout_(UsesColour(options.color, STDOUT_FILENO)),
      colour_stderr_(UsesColour(options.color, STDERR_FILENO)) {}

void Output::PrintLine(absl::string_view line) {
  Write(stdout, absl::StrCat(line, "\n"));
}

void Output::PrintBytes(absl::string_view bytes) { Write(stdout, bytes); }

void Output::PrintTable(const Table& table) {
  Write(stdout, table.ToString(colour_stdout_));
}

void Output::PrintJsonLine(const nlohmann::ordered_json& value) {
  PrintLine(ToText(value));
}

void Output::PrintJson(const nlohmann::ordered_json& value) {
  PrintLine(ToText(value, 2));
}

void Output::PrintPut(absl::string_view kind, absl::string_view name,
                      bool created) {
  if (json()) return PrintJson({{"created", created}});
  PrintLine(absl::StrCat(kind, " '", OneLine(name), "' ",
                         created ? "made" : "updated"));
}

void Output::PrintDeleted(absl::string_view kind, absl::string_view name,
                          bool deleted) {
  if (json()) return PrintJson({{"deleted", deleted}});
  PrintLine(absl::StrCat(kind, " '", OneLine(name), "' ",
                         deleted ? "deleted" : "was not there"));
}

absl::Status Output::Flush() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return absl::OkStatus();
  }
  return MakeFailure(
      ExitCode::kFailed,
      absl::StrCat("cannot write to standard output: ", std::strerror(errno)));
}

void Output::Note(absl::string_view text) {
  ClearProgress();
  Write(stderr, absl::StrCat(text, "\n"));
}

void Output::Warn(absl::string_view text, absl::string_view hint) {
  ClearProgress();
  std::string lines =
      absl::StrCat(Coloured(kYellow, "kelpmq: warning:"), " ", text, "\n");
  if (!hint.empty()) absl::StrAppend(&lines, "  ", hint, "\n");
  Write(stderr, lines);
}

void Output::Report(const FailureReport& report) {
  ClearProgress();
  std::string lines =
      absl::StrCat(Coloured(kRed, "kelpmq:"), " ", report.line, "\n");
  if (!report.hint.empty()) absl::StrAppend(&lines, "  ", report.hint, "\n");
  Write(stderr, lines);
}

void Output::ShowProgress(absl::string_view text) {
  // \x1b[K: the rest of a longer line before it goes.
  if (stderr_is_terminal_) Write(stderr, absl::StrCat("\r", text, "\x1b[K"));
}

void Output::ClearProgress() {
  if (stderr_is_terminal_) Write(stderr, "\r\x1b[K");
}

int Output::Finish(const absl::Status& status, const Target& target) {
  const absl::Status flushed = Flush();
  const absl::Status& result = status.ok() ? flushed : status;
  if (result.ok()) return static_cast<int>(ExitCode::kOk);
  const FailureReport report = Explain(result, target);
  if (!report.line.empty()) Report(report);
  return static_cast<int>(report.exit_code);
}

std::string Output::Coloured(absl::string_view code,
                             absl::string_view text) const {
  return colour_stderr_ ? absl::StrCat(code, text, kReset) : std::string(text);
}

std::string ToText(const nlohmann::ordered_json& value, int indent) {
  return value.dump(indent, ' ', false,
                    nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace kelpmq::service::cli
