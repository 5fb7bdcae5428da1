#include "service/exchange/headers_exchange.h"

#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>
#include <variant>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kMatchArgument = "x-match";
constexpr absl::string_view kExtensionPrefix = "x-";

// Holds every integer of 64 bits and every double exactly, so that numbers of
// different kinds compare by their true values.
using ExactNumber = long double;
static_assert(std::numeric_limits<ExactNumber>::digits >= 64);

std::optional<ExactNumber> NumberOf(const Value& value) {
  return std::visit(
      [](const auto& v) -> std::optional<ExactNumber> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, Timestamp>) {
          return v.seconds;
        } else if constexpr (std::is_arithmetic_v<T> &&
                             !std::is_same_v<T, bool>) {
          return v;
        } else {
          return std::nullopt;
        }
      },
      value.variant());
}

std::optional<absl::string_view> TextOf(const Value& value) {
  if (const auto* bytes = value.As<Bytes>()) return bytes->data;
  return StringOf(value);
}

// Where a condition stands in the index. Values that match are hashed alike;
// unequal ones may be, too.
enum class Kind { kPresence, kNumber, kText, kBool, kOther };

template <typename T>
uint64_t Place(absl::string_view name, Kind kind, const T& value) {
  return absl::Hash<std::tuple<absl::string_view, Kind, T>>()(
      std::make_tuple(name, kind, value));
}
uint64_t PlaceOfPresence(absl::string_view name) {
  return Place(name, Kind::kPresence, 0);
}
uint64_t PlaceOfValue(absl::string_view name, const Value& value) {
  if (const auto number = NumberOf(value)) {
    return Place(name, Kind::kNumber, static_cast<double>(*number));
  }
  if (const auto text = TextOf(value)) return Place(name, Kind::kText, *text);
  if (const auto* b = value.As<bool>()) return Place(name, Kind::kBool, *b);
  return Place(name, Kind::kOther, value.variant().index());
}
// A void condition asks for presence alone (HDR-04).
uint64_t PlaceOfCondition(absl::string_view name, const Value& wanted) {
  return wanted.As<Void>() != nullptr ? PlaceOfPresence(name)
                                      : PlaceOfValue(name, wanted);
}

struct MatchKind {
  bool all = true;
  bool with_extensions = false;  // conditions named x-... count too
};

// Nullopt for what CheckBinding refuses.
std::optional<MatchKind> ParseMatchKind(absl::string_view text) {
  if (text == "all") return MatchKind{true, false};
  if (text == "any") return MatchKind{false, false};
  if (text == "all-with-x") return MatchKind{true, true};
  if (text == "any-with-x") return MatchKind{false, true};
  return std::nullopt;
}

MatchKind MatchKindOf(const Table& arguments) {
  const auto it = arguments.find(kMatchArgument);
  if (it == arguments.end()) return MatchKind();
  return *ParseMatchKind(*StringOf(it->second));
}

}  // namespace

bool HeaderMatches(const Value& wanted, const Value& header) {
  if (wanted.As<Void>() != nullptr) return true;
  if (const auto number = NumberOf(wanted)) return number == NumberOf(header);
  if (const auto text = TextOf(wanted)) return text == TextOf(header);
  return wanted == header;
}

absl::Status HeadersExchange::CheckBinding(const BindingSpec& binding) const {
  const auto it = binding.arguments.find(kMatchArgument);
  if (it == binding.arguments.end()) return absl::OkStatus();
  const auto text = StringOf(it->second);
  if (!text.has_value()) {
    return MakeError(
        Reason::kInvalidArgumentValue,
        absl::StrCat("Invalid x-match field type ", AmqpTypeName(it->second),
                     " (value ", DebugString(it->second),
                     "); expected longstr"),
        {{"argument", kMatchArgument}});
  }
  if (!ParseMatchKind(*text).has_value()) {
    return MakeError(
        Reason::kInvalidArgumentValue,
        absl::StrCat("Invalid x-match field value <<\"", *text,
                     "\">>; expected all, any, all-with-x, or any-with-x"),
        {{"argument", kMatchArgument}});
  }
  return absl::OkStatus();
}

void HeadersExchange::Bind(const Binding& binding) {
  const MatchKind kind = MatchKindOf(binding.arguments);
  auto rule = std::make_unique<Rule>();
  rule->destination = binding.destination;
  rule->all = kind.all;
  for (auto it = binding.arguments.begin(); it != binding.arguments.end();
       ++it) {
    if (it->first == kMatchArgument) continue;
    if (!kind.with_extensions &&
        absl::StartsWith(it->first, kExtensionPrefix)) {
      continue;
    }
    rule->conditions.push_back(it);
    rule->places.push_back(PlaceOfCondition(it->first, it->second));
  }
  if (rule->all && rule->conditions.empty()) {
    unconditional_.Add(binding.destination);
  } else if (rule->all) {
    uint64_t best = rule->places.front();
    size_t fewest = std::numeric_limits<size_t>::max();
    for (const uint64_t place : rule->places) {
      const auto it = index_.find(place);
      const size_t sharing = it == index_.end() ? 0 : it->second.size();
      if (sharing < fewest) {
        fewest = sharing;
        best = place;
      }
    }
    rule->places = {best};
  }
  for (const uint64_t place : rule->places) index_[place].insert(rule.get());
  rules_.emplace(&binding, std::move(rule));
}

void HeadersExchange::Unbind(const Binding& binding) {
  const auto it = rules_.find(&binding);
  const Rule& rule = *it->second;
  if (rule.all && rule.conditions.empty()) {
    unconditional_.Remove(rule.destination);
  }
  for (const uint64_t place : rule.places) {
    const auto entry = index_.find(place);
    if (entry == index_.end()) continue;  // two conditions, one hash
    entry->second.erase(&rule);
    if (entry->second.empty()) index_.erase(entry);
  }
  rules_.erase(it);
}

bool HeadersExchange::Matches(const Rule& rule, const Table& headers) {
  for (const Table::const_iterator condition : rule.conditions) {
    const auto header = headers.find(condition->first);
    const bool satisfied = header != headers.end() &&
                           HeaderMatches(condition->second, header->second);
    if (satisfied != rule.all) return satisfied;
  }
  return rule.all;
}

void HeadersExchange::RouteCandidates(uint64_t place, const Table& headers,
                                      RouteList* routes) const {
  const auto it = index_.find(place);
  if (it == index_.end()) return;
  for (const Rule* rule : it->second) {
    if (Matches(*rule, headers)) routes->Add(rule->destination);
  }
}

void HeadersExchange::Route(RoutingInput* input, RouteList* routes) const {
  routes->AddAll(unconditional_);
  if (index_.empty()) return;
  const Table& headers = input->headers();
  for (const auto& [name, value] : headers) {
    RouteCandidates(PlaceOfPresence(name), headers, routes);
    RouteCandidates(PlaceOfValue(name, value), headers, routes);
  }
}

}  // namespace kelpmq::service
