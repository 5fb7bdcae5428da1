#include "service/base/log_line.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace kelpmq::service {
namespace {

using Json = nlohmann::ordered_json;

// How much of a value a line takes, and, if the line got too long that way,
// how much then: lines have some ten fields, and a byte takes six at worst.
constexpr size_t kMaxValueBytes = 512;
constexpr size_t kMaxValueBytesOfLongLine = 40;

constexpr absl::string_view kTimeFormat = "%Y-%m-%dT%H:%M:%E3SZ";

absl::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
    case LogLevel::kNone:
      break;
  }
  return "error";
}

std::string Cut(absl::string_view text, size_t max) {
  if (text.size() <= max) return std::string(text);
  size_t end = max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
    --end;  // not within a character
  }
  return absl::StrCat(text.substr(0, end), "...");
}

std::string Quoted(const Json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false,
                    Json::error_handler_t::replace);
}

Json JsonOf(const LogField::Value& value, size_t max_bytes) {
  if (const auto* text = absl::get_if<absl::string_view>(&value)) {
    return Cut(*text, max_bytes);
  }
  if (const auto* number = absl::get_if<int64_t>(&value)) return *number;
  if (const auto* number = absl::get_if<uint64_t>(&value)) return *number;
  return absl::get<bool>(value);
}

// Whether a word can stand for itself after `key=`.
bool IsPlain(absl::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isgraph(c) && c != '"' && c != '=' && c != '\\';
  });
}

std::string TextLine(const std::string& time, LogLevel level,
                     absl::string_view text, absl::Span<const LogField> fields,
                     size_t max_value_bytes) {
  std::string line = absl::StrCat(time, " ", NameOf(level), " ", text);
  for (const LogField& field : fields) {
    const Json value = JsonOf(field.value(), max_value_bytes);
    const bool plain =
        value.is_string() && IsPlain(value.get_ref<const std::string&>());
    absl::StrAppend(&line, " ", field.key(), "=",
                    plain ? value.get<std::string>() : Quoted(value));
  }
  return line;
}

std::string JsonLine(const std::string& time, LogLevel level,
                     absl::string_view text, absl::Span<const LogField> fields,
                     size_t max_value_bytes) {
  Json line;
  line["time"] = time;
  line["level"] = std::string(NameOf(level));
  line["message"] = std::string(text);
  for (const LogField& field : fields) {
    line[std::string(field.key())] = JsonOf(field.value(), max_value_bytes);
  }
  return Quoted(line);
}

}  // namespace

std::string LogLine(LogFormat format, absl::Time time, LogLevel level,
                    absl::string_view text, absl::Span<const LogField> fields) {
  const std::string when =
      absl::FormatTime(kTimeFormat, time, absl::UTCTimeZone());
  const auto make = format == LogFormat::kJson ? JsonLine : TextLine;
  std::string line = make(when, level, text, fields, kMaxValueBytes);
  if (line.size() >= kMaxLogLineBytes) {
    line = make(when, level, text, fields, kMaxValueBytesOfLongLine);
  }
  line += '\n';
  return line;
}

}  // namespace kelpmq::service
