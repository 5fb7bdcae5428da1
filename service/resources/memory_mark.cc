#include "service/resources/memory_mark.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kelpmq::service {
namespace {

struct Unit {
  absl::string_view name;  // in lower case
  uint64_t bytes;
};

constexpr uint64_t kKibi = 1024;
constexpr uint64_t kKilo = 1000;

constexpr Unit kUnits[] = {
    {"", 1},
    {"k", kKibi},
    {"ki", kKibi},
    {"kib", kKibi},
    {"kb", kKilo},
    {"m", kKibi* kKibi},
    {"mi", kKibi* kKibi},
    {"mib", kKibi* kKibi},
    {"mb", kKilo* kKilo},
    {"g", kKibi* kKibi* kKibi},
    {"gi", kKibi* kKibi* kKibi},
    {"gib", kKibi* kKibi* kKibi},
    {"gb", kKilo* kKilo* kKilo},
};

// More cannot be multiplied by any unit without care, nor be meant.
constexpr uint64_t kMostDigits = uint64_t{1} << 33;

absl::Status NotAMark(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "'", text, "' is no amount of memory: 60%, 512MiB, 1GB, or none"));
}

}  // namespace

absl::StatusOr<MemoryMark> MemoryMark::Parse(absl::string_view text) {
  if (text == "none") return None();
  const size_t digits =
      std::min(text.find_first_not_of("0123456789"), text.size());
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number) || number == 0) {
    return NotAMark(text);
  }
  const std::string unit = absl::AsciiStrToLower(text.substr(digits));
  if (unit == "%") {
    if (number > 100) return NotAMark(text);
    return Percent(static_cast<uint32_t>(number));
  }
  for (const Unit& known : kUnits) {
    if (known.name != unit) continue;
    if (known.bytes > 1 && number > kMostDigits) break;
    return Bytes(number * known.bytes);
  }
  return NotAMark(text);
}

uint64_t MemoryMark::BytesOf(uint64_t limit) const {
  if (percent_ == 0) return bytes_;
  return std::max<uint64_t>(1, limit / 100 * percent_);
}

}  // namespace kelpmq::service
