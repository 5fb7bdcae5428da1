#include "service/exchange/deduplication_exchange.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/deduplication.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kSize = "x-cache-size";
constexpr absl::string_view kTtl = "x-cache-ttl";  // a header, too
constexpr absl::string_view kPersistence = "x-cache-persistence";

// A number above 0, which may come as a string; nullopt: something else.
std::optional<int64_t> Positive(const Value& value) {
  std::optional<int64_t> number = IntegerOf(value);
  int64_t parsed;
  const auto text = StringOf(value);
  if (text.has_value() && absl::SimpleAtoi(*text, &parsed)) number = parsed;
  if (!number.has_value() || *number <= 0) return std::nullopt;
  return number;
}

absl::Status Invalid(absl::string_view argument, absl::string_view what,
                     absl::string_view must) {
  return MakeError(Reason::kInvalidArgumentValue,
                   absl::StrCat(what, ", '", argument, "' must be ", must),
                   {{"argument", argument}});
}

}  // namespace

absl::StatusOr<DeduplicationArguments> ParseDeduplicationArguments(
    const Table& arguments) {
  constexpr absl::string_view kNumber = "an integer greater than 0";
  DeduplicationArguments result;
  const auto size = arguments.find(kSize);
  const auto entries =
      size == arguments.end() ? std::nullopt : Positive(size->second);
  if (!entries.has_value()) {
    return Invalid(kSize, "Missing or invalid argument", kNumber);
  }
  result.cache_size = static_cast<size_t>(*entries);
  if (const auto it = arguments.find(kTtl); it != arguments.end()) {
    const auto ms = Positive(it->second);
    if (!ms.has_value()) return Invalid(kTtl, "Invalid argument", kNumber);
    result.cache_ttl = absl::Milliseconds(*ms);
  }
  if (const auto it = arguments.find(kPersistence); it != arguments.end()) {
    const auto text = StringOf(it->second);
    if (text != absl::string_view("memory") &&
        text != absl::string_view("disk")) {
      return Invalid(kPersistence, "Invalid argument",
                     "either 'disk' or 'memory'");
    }
  }
  return result;
}

void DeduplicationExchange::Route(RoutingInput* input,
                                  RouteList* routes) const {
  if (auto key = DeduplicationKey(input->headers())) {
    absl::Duration ttl = ttl_;
    const auto header = input->headers().find(kTtl);
    if (header != input->headers().end()) {
      if (const auto ms = Positive(header->second)) {
        ttl = absl::Milliseconds(*ms);
      }
    }
    if (!seen_->Add(*std::move(key), ttl)) return;
  }
  routes->AddAll(destinations_);
}

}  // namespace kelpmq::service
