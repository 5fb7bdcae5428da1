#include "service/base/deduplication.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/value_encode.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kHeader = "x-deduplication-header";

}  // namespace

std::optional<std::string> DeduplicationKey(const Table& headers) {
  const auto header = headers.find(kHeader);
  if (header == headers.end() || header->second.As<Void>() != nullptr) {
    return std::nullopt;
  }
  const Value& value = header->second;
  // The first letter keeps the kinds apart.
  if (const auto integer = IntegerOf(value)) return absl::StrCat("i", *integer);
  if (const auto text = StringOf(value)) return absl::StrCat("s", *text);
  return absl::StrCat("v", EncodedValue(value));
}

}  // namespace kelpmq::service
