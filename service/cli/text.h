#ifndef KELPMQ_SERVICE_CLI_TEXT_H_
#define KELPMQ_SERVICE_CLI_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kelpmq::service::cli {

// Pure functions on text for people. Thread-safety: all are reentrant.

// Whether a terminal shows the bytes as they are: valid UTF-8 with no control
// characters but tab, line feed and carriage return. What else there is could
// move the cursor or recolour the screen of whoever looks at a queue.
bool IsPrintableText(absl::string_view bytes);

// The text on one line: control characters and bytes that are no UTF-8 become
// `\n`, `\t`, `\x1b`, ... Valid UTF-8 stays.
std::string OneLine(absl::string_view bytes);

// The text as one word of a POSIX shell, quoted only where it must be.
std::string ShellWord(absl::string_view text);

// Columns the text takes on a terminal: East Asian wide characters take two,
// combining marks none. The text must be printable and on one line.
int DisplayWidth(absl::string_view text);

// The text in lines of at most `width` columns, broken at blanks; a longer word
// has a line of its own, and line feeds stay. The text must be printable.
std::vector<std::string> Wrapped(absl::string_view text, int width);

// 1234567 -> "1,234,567".
std::string Grouped(uint64_t number);

// 1 -> "1 message", 2000 -> "2,000 messages".
std::string Count(uint64_t number, absl::string_view noun);

// How many letters must be typed, dropped or changed to turn one into the
// other; for "did you mean".
int EditDistance(absl::string_view a, absl::string_view b);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_TEXT_H_
