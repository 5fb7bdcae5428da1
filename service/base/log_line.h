#ifndef KELPMQ_SERVICE_BASE_LOG_LINE_H_
#define KELPMQ_SERVICE_BASE_LOG_LINE_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/base/log.h"

namespace kelpmq::service {

// The longest line: a pipe takes so much in one piece (PIPE_BUF), and who waits
// until it is writable can write so much without being blocked.
inline constexpr size_t kMaxLogLineBytes = 4096;

// One line of the log, with its newline and nothing that a terminal or the next
// line could be mistaken for. Values are cut where the line would get too long.
//
//   text  2026-01-02T03:04:05.678Z info session opened vhost=/ client="my app"
//   JSON  {"time":"2026-01-02T03:04:05.678Z","level":"info",
//          "message":"session opened","vhost":"/","client":"my app"}
//
// What is not UTF-8 is replaced by U+FFFD.
std::string LogLine(LogFormat format, absl::Time time, LogLevel level,
                    absl::string_view text, absl::Span<const LogField> fields);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_LOG_LINE_H_
