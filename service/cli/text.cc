#include "service/cli/text.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "service/base/utf8.h"

namespace kelpmq::service::cli {
namespace {

// Reads one character of text that is known to be valid UTF-8.
char32_t NextCharacter(absl::string_view* text) {
  const auto byte = [text](size_t i) {
    return static_cast<unsigned char>((*text)[i]);
  };
  const unsigned char lead = byte(0);
  size_t length = 1;
  char32_t character = lead;
  if (lead >= 0xf0) {
    length = 4;
    character = lead & 0x07u;
  } else if (lead >= 0xe0) {
    length = 3;
    character = lead & 0x0fu;
  } else if (lead >= 0x80) {
    length = 2;
    character = lead & 0x1fu;
  }
  for (size_t i = 1; i < length; ++i) {
    character = (character << 6) | (byte(i) & 0x3fu);
  }
  text->remove_prefix(length);
  return character;
}

bool IsControl(char32_t c) { return c < 0x20 || (c >= 0x7f && c <= 0x9f); }

struct Range {
  char32_t first;
  char32_t last;
};

// The blocks that matter in practice, not the whole of Unicode's table: a
// wrong guess costs a ragged column.
constexpr Range kWide[] = {
    {0x1100, 0x115f}, {0x2e80, 0x303e},   {0x3041, 0xa4cf},
    {0xac00, 0xd7a3}, {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
    {0xff00, 0xff60}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
constexpr Range kZeroWidth[] = {
    {0x300, 0x36f}, {0x200b, 0x200f}, {0xfe00, 0xfe0f}};

template <size_t N>
bool IsIn(const Range (&ranges)[N], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges), [c](Range range) {
    return c >= range.first && c <= range.last;
  });
}

}  // namespace

bool IsPrintableText(absl::string_view bytes) {
  if (!IsValidUtf8(bytes)) return false;
  while (!bytes.empty()) {
    const char32_t c = NextCharacter(&bytes);
    if (IsControl(c) && c != '\t' && c != '\n' && c != '\r') return false;
  }
  return true;
}

std::string OneLine(absl::string_view bytes) {
  if (!IsValidUtf8(bytes)) return absl::CHexEscape(bytes);
  std::string line;
  while (!bytes.empty()) {
    absl::string_view rest = bytes;
    const char32_t c = NextCharacter(&rest);
    const absl::string_view character =
        bytes.substr(0, bytes.size() - rest.size());
    if (c == '\n') {
      absl::StrAppend(&line, "\\n");
    } else if (c == '\t') {
      absl::StrAppend(&line, "\\t");
    } else if (c == '\r') {
      absl::StrAppend(&line, "\\r");
    } else if (IsControl(c)) {
      absl::StrAppendFormat(&line, "\\x%02x", static_cast<uint32_t>(c));
    } else {
      absl::StrAppend(&line, character);
    }
    bytes = rest;
  }
  return line;
}

std::string ShellWord(absl::string_view text) {
  const bool plain =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
               absl::string_view("_-./:@%+=,").find(c) !=
                   absl::string_view::npos;
      });
  if (plain) return std::string(text);
  return absl::StrCat("'", absl::StrReplaceAll(OneLine(text), {{"'", "'\\''"}}),
                      "'");
}

int DisplayWidth(absl::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const char32_t c = NextCharacter(&text);
    if (IsIn(kZeroWidth, c)) continue;
    width += IsIn(kWide, c) ? 2 : 1;
  }
  return width;
}

std::vector<std::string> Wrapped(absl::string_view text, int width) {
  std::vector<std::string> lines;
  for (absl::string_view paragraph : absl::StrSplit(text, '\n')) {
    std::string line;
    for (absl::string_view word :
         absl::StrSplit(paragraph, ' ', absl::SkipEmpty())) {
      if (!line.empty() &&
          DisplayWidth(line) + 1 + DisplayWidth(word) > width) {
        lines.push_back(std::move(line));
        line.clear();
      }
      absl::StrAppend(&line, line.empty() ? "" : " ", word);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string Grouped(uint64_t number) {
  std::string digits = absl::StrCat(number);
  for (size_t i = digits.size(); i > 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

std::string Count(uint64_t number, absl::string_view noun) {
  return absl::StrCat(Grouped(number), " ", noun, number == 1 ? "" : "s");
}

int EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace kelpmq::service::cli
