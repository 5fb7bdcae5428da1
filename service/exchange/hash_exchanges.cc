#include "service/exchange/hash_exchanges.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/fnv.h"
#include "service/base/message_wire.h"
#include "service/base/random_sequence.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kHashHeader = "hash-header";
constexpr absl::string_view kHashProperty = "hash-property";
constexpr absl::string_view kHashableProperties[] = {
    "message_id", "correlation_id", "timestamp"};

absl::Status InvalidArgument(absl::string_view argument,
                             absl::string_view text) {
  return MakeError(Reason::kInvalidArgumentValue, text,
                   {{"argument", argument}});
}

// Of all keys, CC and BCC too. A byte that no key contains keeps "a", "b"
// apart from "ab".
uint64_t HashOfKeys(const RoutingInput& input) {
  constexpr absl::string_view kSeparator = "\xff";
  uint64_t hash = kFnvOffsetBasis;
  for (const absl::string_view key : input.keys()) {
    hash = Fnv1a(kSeparator, Fnv1a(key, hash));
  }
  return RandomSequence::Mix(hash);
}

// What is absent hashes as one value, so that it has one destination as well.
uint64_t HashOfHeader(RoutingInput* input, absl::string_view name) {
  const auto header = input->headers().find(name);
  if (header == input->headers().end()) return 0;
  return RandomSequence::Mix(
      Fnv1a(ArgumentsIdentity({{std::string(name), header->second}})));
}
uint64_t HashOfProperty(const RoutingInput& input, absl::string_view name) {
  return RandomSequence::Mix(
      Fnv1a(PropertyText(input.message().encoded(), name)));
}

uint64_t HashOf(const HashSource& source, RoutingInput* input) {
  switch (source.kind) {
    case HashSource::Kind::kKeys:
      return HashOfKeys(*input);
    case HashSource::Kind::kHeader:
      return HashOfHeader(input, source.name);
    case HashSource::Kind::kProperty:
      return HashOfProperty(*input, source.name);
  }
  return 0;
}

// Exponentially distributed with mean 1: the least of several, each divided by
// its weight, is any of them with a chance in proportion to its weight.
double Draw(uint64_t seed, uint64_t value) {
  constexpr int kMantissaBits = 53;
  const uint64_t bits = RandomSequence::Mix(seed ^ value);
  const double uniform =
      (static_cast<double>(bits >> (64 - kMantissaBits)) + 0.5) /
      static_cast<double>(uint64_t{1} << kMantissaBits);
  return -std::log(uniform);
}

double WeightOf(absl::string_view routing_key) {
  uint64_t weight = 0;
  // CheckBinding has seen to it.
  return absl::SimpleAtoi(routing_key, &weight) ? static_cast<double>(weight)
                                                : 1;
}

}  // namespace

absl::StatusOr<HashSource> ParseHashSource(const Table& arguments) {
  HashSource source;
  for (const auto& [argument, kind] :
       {std::make_pair(kHashHeader, HashSource::Kind::kHeader),
        std::make_pair(kHashProperty, HashSource::Kind::kProperty)}) {
    const auto it = arguments.find(argument);
    if (it == arguments.end()) continue;
    if (source.kind != HashSource::Kind::kKeys) {
      return InvalidArgument(
          argument, "hash-header and hash-property exclude each other");
    }
    const auto name = StringOf(it->second);
    if (!name.has_value()) {
      return InvalidArgument(
          argument, absl::StrCat("invalid type '", AmqpTypeName(it->second),
                                 "' for arg '", argument, "'"));
    }
    source.kind = kind;
    source.name = std::string(*name);
  }
  if (source.kind == HashSource::Kind::kProperty &&
      std::find(std::begin(kHashableProperties), std::end(kHashableProperties),
                source.name) == std::end(kHashableProperties)) {
    return InvalidArgument(kHashProperty,
                           absl::StrCat("Unsupported property: ", source.name));
  }
  return source;
}

// ---- Consistent hashing ----

absl::Status ConsistentHashExchange::CheckBinding(
    const BindingSpec& binding) const {
  const std::string& key = binding.routing_key;
  int64_t weight = 0;
  // SimpleAtoi passes over blanks, RabbitMQ does not.
  if (absl::StripAsciiWhitespace(key) != key ||
      !absl::SimpleAtoi(key, &weight)) {
    return InvalidArgument("routing_key",
                           absl::StrCat("The binding key must be an integer: "
                                        "<<\"",
                                        key, "\">>"));
  }
  if (weight <= 0) {
    return InvalidArgument("routing_key",
                           "The binding key must be greater than 0");
  }
  return absl::OkStatus();
}

ConsistentHashExchange::Bucket* ConsistentHashExchange::FindBucket(
    const Destination* destination) {
  const auto it = std::find_if(
      buckets_.begin(), buckets_.end(),
      [&](const Bucket& b) { return b.destination == destination; });
  return it == buckets_.end() ? nullptr : &*it;
}

void ConsistentHashExchange::Bind(const Binding& binding) {
  Bucket* const bucket = FindBucket(binding.destination);
  if (bucket != nullptr) {
    bucket->bindings.push_back(&binding);
    return;
  }
  const Destination& destination = *binding.destination;
  // A queue and an exchange may have the same name.
  const uint64_t seed = RandomSequence::Mix(Fnv1a(absl::StrCat(
      destination.is_queue() ? "q" : "x", destination.record->name)));
  buckets_.push_back(
      {&destination, seed, WeightOf(binding.routing_key), {&binding}});
}

void ConsistentHashExchange::Unbind(const Binding& binding) {
  Bucket* const bucket = FindBucket(binding.destination);
  std::vector<const Binding*>& bindings = bucket->bindings;
  bindings.erase(std::find(bindings.begin(), bindings.end(), &binding));
  if (bindings.empty()) {
    *bucket = std::move(buckets_.back());
    buckets_.pop_back();
  } else {
    bucket->weight = WeightOf(bindings.front()->routing_key);
  }
}

void ConsistentHashExchange::Route(RoutingInput* input,
                                   RouteList* routes) const {
  if (buckets_.empty()) return;
  const uint64_t value = HashOf(source_, input);
  const Destination* winner = nullptr;
  double best = std::numeric_limits<double>::infinity();
  for (const Bucket& bucket : buckets_) {
    const double draw = Draw(bucket.seed, value) / bucket.weight;
    if (draw < best) {
      best = draw;
      winner = bucket.destination;
    }
  }
  routes->Add(winner);
}

// ---- Modulus ----

void ModulusHashExchange::Bind(const Binding& binding) {
  destinations_.push_back(binding.destination);
}

void ModulusHashExchange::Unbind(const Binding& binding) {
  destinations_.erase(std::find(destinations_.begin(), destinations_.end(),
                                binding.destination));
}

void ModulusHashExchange::Route(RoutingInput* input, RouteList* routes) const {
  if (destinations_.empty()) return;
  routes->Add(destinations_[HashOfKeys(*input) % destinations_.size()]);
}

}  // namespace kelpmq::service
