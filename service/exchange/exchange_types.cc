#include "service/exchange/exchange_types.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "service/base/error.h"
#include "service/base/exchange_type_names.h"
#include "service/exchange/deduplication_exchange.h"
#include "service/exchange/delayed_exchange.h"
#include "service/exchange/direct_exchange.h"
#include "service/exchange/fanout_exchange.h"
#include "service/exchange/hash_exchanges.h"
#include "service/exchange/headers_exchange.h"
#include "service/exchange/random_exchange.h"
#include "service/exchange/recent_history_exchange.h"
#include "service/exchange/topic_exchange.h"
#include "service/exchange/topology_errors.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kDelayedTypeArgument = "x-delayed-type";
constexpr absl::string_view kHistoryLengthArgument = "x-recent-history-length";
constexpr size_t kDefaultHistoryLength = 20;

const Value* FindArgument(const ExchangeSpec& spec, absl::string_view name) {
  const auto it = spec.arguments.find(name);
  return it == spec.arguments.end() ? nullptr : &it->second;
}

bool IsKnownType(absl::string_view type) {
  return absl::c_linear_search(kExchangeTypes, type);
}

// One that routes by itself, not by the rules of another.
bool IsPlainType(absl::string_view type) {
  return type != kDelayedType && IsKnownType(type);
}

// The type whose rules route a message: for a delayed exchange that of its
// argument; empty if it has none that is valid.
absl::string_view RoutingType(const ExchangeSpec& spec) {
  if (spec.type != kDelayedType) return spec.type;
  const Value* const type = FindArgument(spec, kDelayedTypeArgument);
  const auto name = type == nullptr ? std::nullopt : StringOf(*type);
  return name.has_value() && IsPlainType(*name) ? *name : "";
}

// Nullopt: not a number of messages.
std::optional<size_t> HistoryLength(const ExchangeSpec& spec) {
  const Value* const argument = FindArgument(spec, kHistoryLengthArgument);
  if (argument == nullptr) return kDefaultHistoryLength;
  const auto length = IntegerOf(*argument);
  if (!length.has_value() || *length <= 0) return std::nullopt;
  return static_cast<size_t>(*length);
}

absl::Status InvalidArgument(absl::string_view argument,
                             absl::string_view text) {
  return MakeError(Reason::kInvalidArgumentValue, text,
                   {{"argument", argument}});
}

std::unique_ptr<Exchange> MakePlain(absl::string_view type,
                                    const ExchangeSpec& spec,
                                    const ExchangeParts& parts) {
  if (type == "direct") return std::make_unique<DirectExchange>();
  if (type == "fanout") return std::make_unique<FanoutExchange>();
  if (type == "topic") return std::make_unique<TopicExchange>();
  if (type == "headers") return std::make_unique<HeadersExchange>();
  if (type == "x-modulus-hash") return std::make_unique<ModulusHashExchange>();
  if (type == kConsistentHashType) {
    return std::make_unique<ConsistentHashExchange>(
        ParseHashSource(spec.arguments).value());
  }
  if (type == kRecentHistoryType) {
    return std::make_unique<RecentHistoryExchange>(parts.history);
  }
  if (type == kDeduplicationType) {
    return std::make_unique<DeduplicationExchange>(
        parts.seen,
        ParseDeduplicationArguments(spec.arguments).value().cache_ttl);
  }
  return std::make_unique<RandomExchange>(parts.random);
}

}  // namespace

absl::Status CheckExchangeType(absl::string_view type) {
  return IsKnownType(type) ? absl::OkStatus() : UnknownTypeError(type);
}

absl::Status CheckTypeArguments(const ExchangeSpec& spec) {
  const absl::string_view type = RoutingType(spec);
  if (type.empty()) {
    return InvalidArgument(kDelayedTypeArgument,
                           "Invalid argument, 'x-delayed-type' must be an "
                           "existing exchange type");
  }
  if (type == kRecentHistoryType && !HistoryLength(spec).has_value()) {
    return InvalidArgument(
        kHistoryLengthArgument,
        "Invalid argument, 'x-recent-history-length' must be a positive "
        "integer");
  }
  if (type == kConsistentHashType) {
    return ParseHashSource(spec.arguments).status();
  }
  if (type == kDeduplicationType) {
    return ParseDeduplicationArguments(spec.arguments).status();
  }
  return absl::OkStatus();
}

ExchangeParts MakeParts(const ExchangeSpec& spec,
                        std::shared_ptr<RandomSequence> random,
                        const Clock* clock) {
  ExchangeParts parts;
  parts.random = std::move(random);
  if (RoutingType(spec) == kRecentHistoryType) {
    parts.history =
        std::make_shared<RecentHistory>(HistoryLength(spec).value_or(0));
  }
  if (RoutingType(spec) == kDeduplicationType) {
    const auto arguments = ParseDeduplicationArguments(spec.arguments);
    if (arguments.ok()) {
      parts.seen = std::make_shared<SeenValues>(arguments->cache_size, clock);
    }
  }
  return parts;
}

std::unique_ptr<Exchange> MakeExchange(const ExchangeSpec& spec,
                                       const ExchangeParts& parts) {
  auto exchange = MakePlain(RoutingType(spec), spec, parts);
  if (spec.type != kDelayedType) return exchange;
  return std::make_unique<DelayedExchange>(std::move(exchange));
}

}  // namespace kelpmq::service
