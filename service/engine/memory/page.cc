#include "service/engine/memory/page.h"

#include <cstdint>
#include <tuple>
#include <type_traits>
#include <variant>

#include "absl/base/casts.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/value.h"

namespace kelpmq::service {
namespace {

// "5:hello": parts may hold any bytes.
void AppendPart(absl::string_view part, std::string* out) {
  absl::StrAppend(out, part.size(), ":", part);
}

void AppendTable(const Table& table, std::string* out);

// One text for each value, other for every other value or type.
void AppendValue(const Value& value, std::string* out) {
  absl::StrAppend(out, value.variant().index(), "=");
  std::visit(
      [out](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string>) {
          AppendPart(v, out);
        } else if constexpr (std::is_same_v<T, RawString> ||
                             std::is_same_v<T, Bytes>) {
          AppendPart(absl::BytesToHexString(v.data), out);  // tokens are UTF-8
        } else if constexpr (std::is_same_v<T, float>) {
          absl::StrAppend(out, absl::bit_cast<uint32_t>(v), ";");
        } else if constexpr (std::is_same_v<T, double>) {
          absl::StrAppend(out, absl::bit_cast<uint64_t>(v), ";");
        } else if constexpr (std::is_same_v<T, Decimal>) {
          absl::StrAppend(out, static_cast<int>(v.scale), ",", v.unscaled, ";");
        } else if constexpr (std::is_same_v<T, Timestamp>) {
          absl::StrAppend(out, v.seconds, ";");
        } else if constexpr (std::is_same_v<T, Table>) {
          AppendTable(v, out);
        } else if constexpr (std::is_same_v<T, Array>) {
          absl::StrAppend(out, v.size(), "[");
          for (const Value& element : v) AppendValue(element, out);
        } else if constexpr (std::is_integral_v<T>) {
          absl::StrAppend(out, static_cast<int64_t>(v), ";");
        } else {
          static_assert(std::is_same_v<T, Void>);
        }
      },
      value.variant());
}

void AppendTable(const Table& table, std::string* out) {
  absl::StrAppend(out, table.size(), "{");
  for (const auto& [key, value] : table) {
    AppendPart(key, out);
    AppendValue(value, out);
  }
}

std::string TextOf(const Table& arguments) {
  if (arguments.empty()) return "";
  std::string text;
  AppendTable(arguments, &text);
  return text;
}

absl::string_view TextOf(DestinationKind kind) {
  return kind == DestinationKind::kQueue ? "0" : "1";
}

// All that orders bindings but the arguments, whose text is made on demand.
auto CheapKey(const BindingSpec& b) {
  return std::make_tuple(absl::string_view(b.source),
                         absl::string_view(b.destination), TextOf(b.kind),
                         absl::string_view(b.routing_key));
}

bool Before(const BindingSpec& a, const BindingSpec& b) {
  const auto key_a = CheapKey(a);
  const auto key_b = CheapKey(b);
  if (key_a != key_b) return key_a < key_b;
  return TextOf(a.arguments) < TextOf(b.arguments);
}

bool IsAfter(const BindingSpec& binding, const std::vector<std::string>& key) {
  if (key.empty()) return true;
  const auto last =
      std::make_tuple(absl::string_view(key[0]), absl::string_view(key[1]),
                      absl::string_view(key[2]), absl::string_view(key[3]));
  const auto cheap = CheapKey(binding);
  if (cheap != last) return cheap > last;
  return TextOf(binding.arguments) > key[4];
}

bool Passes(const BindingSpec& binding, const ListParams& params) {
  return (!params.source || binding.source == *params.source) &&
         (!params.destination || binding.destination == *params.destination) &&
         (!params.kind || binding.kind == *params.kind);
}

}  // namespace

std::string MakePageToken(std::initializer_list<absl::string_view> parts) {
  std::string token;
  for (absl::string_view part : parts) AppendPart(part, &token);
  return token;
}

absl::StatusOr<std::vector<std::string>> ParsePageToken(
    absl::string_view token) {
  std::vector<std::string> parts;
  while (!token.empty()) {
    const size_t colon = token.find(':');
    uint64_t size = 0;
    if (colon == absl::string_view::npos ||
        !absl::SimpleAtoi(token.substr(0, colon), &size) ||
        size > token.size() - colon - 1) {
      return BadPageToken();
    }
    parts.emplace_back(token.substr(colon + 1, size));
    token.remove_prefix(colon + 1 + size);
  }
  return parts;
}

absl::Status BadPageToken() {
  return MakeError(Reason::kBadPageToken, "the page token is not of this list");
}

absl::StatusOr<std::optional<std::string>> ParseNameToken(
    absl::string_view token) {
  absl::StatusOr<std::vector<std::string>> parts = ParsePageToken(token);
  if (!parts.ok()) return parts.status();
  if (parts->empty()) return std::optional<std::string>();
  if (parts->size() != 1) return BadPageToken();
  return std::optional<std::string>(std::move(parts->front()));
}

size_t PageLimit(const ListParams& params) {
  return std::max<size_t>(params.limit, 1);
}

absl::StatusOr<Page<BindingSpec>> PageOfBindings(
    std::vector<BindingSpec> bindings, const ListParams& params) {
  absl::StatusOr<std::vector<std::string>> last = ParsePageToken(params.after);
  if (!last.ok()) return last.status();
  if (!last->empty() && last->size() != 5) return BadPageToken();

  bindings.erase(std::remove_if(bindings.begin(), bindings.end(),
                                [&](const BindingSpec& binding) {
                                  return !Passes(binding, params) ||
                                         !IsAfter(binding, *last);
                                }),
                 bindings.end());
  const size_t limit = PageLimit(params);
  Page<BindingSpec> page;
  if (bindings.size() <= limit) {
    std::sort(bindings.begin(), bindings.end(), Before);
    page.items = std::move(bindings);
    return page;
  }
  std::partial_sort(bindings.begin(), bindings.begin() + limit, bindings.end(),
                    Before);
  bindings.resize(limit);
  const BindingSpec& end = bindings.back();
  page.next = MakePageToken({end.source, end.destination, TextOf(end.kind),
                             end.routing_key, TextOf(end.arguments)});
  page.items = std::move(bindings);
  return page;
}

absl::StatusOr<Page<PolicyInfo>> PageOfPolicies(
    std::vector<PolicyInfo> policies, const ListParams& params) {
  absl::StatusOr<std::vector<std::string>> last = ParsePageToken(params.after);
  if (!last.ok()) return last.status();
  if (!last->empty() && last->size() != 2) return BadPageToken();
  const auto is_after = [&](const PolicyInfo& policy) {
    return last->empty() || std::tie(policy.vhost, policy.name) >
                                std::tie((*last)[0], (*last)[1]);
  };
  Page<PolicyInfo> page;
  for (PolicyInfo& policy : policies) {
    if (!is_after(policy)) continue;
    if (page.items.size() == PageLimit(params)) {
      const PolicyInfo& end = page.items.back();
      page.next = MakePageToken({end.vhost, end.name});
      break;
    }
    page.items.push_back(std::move(policy));
  }
  return page;
}

}  // namespace kelpmq::service
