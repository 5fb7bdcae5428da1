#ifndef KELPMQ_SERVICE_EXCHANGE_HASH_EXCHANGES_H_
#define KELPMQ_SERVICE_EXCHANGE_HASH_EXCHANGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/base/value.h"
#include "service/exchange/exchange.h"

namespace kelpmq::service {

// Exchanges that send each message to one destination by a hash of it. Hashes
// are the same in every process: a restart moves nothing.

// What of a message is hashed (PLUG-01).
struct HashSource {
  enum class Kind { kKeys, kHeader, kProperty };
  Kind kind = Kind::kKeys;
  std::string name;  // of the header or property
};

// From the arguments hash-header and hash-property.
//   INVALID_ARGUMENT_VALUE: both given, not strings, or a property that cannot
//   be hashed (message_id, correlation_id and timestamp can)
absl::StatusOr<HashSource> ParseHashSource(const Table& arguments);

// x-consistent-hash (PLUG-01, PLUG-02). The binding key is a weight. Each
// destination draws a number for the value that is hashed, the better the
// greater its weight, and the best one wins (rendezvous hashing): a destination
// that comes takes its share of the values from all others, one that goes
// leaves its own to them, and no other value moves. Costs time with the number
// of destinations and no memory with their weights.
class ConsistentHashExchange : public Exchange {
 public:
  explicit ConsistentHashExchange(HashSource source)
      : source_(std::move(source)) {}

  absl::Status CheckBinding(const BindingSpec& binding) const override;
  void Bind(const Binding& binding) override;
  void Unbind(const Binding& binding) override;
  void Route(RoutingInput* input, RouteList* routes) const override;
  bool LooksBeyondKeys() const override {
    return source_.kind != HashSource::Kind::kKeys;
  }

 private:
  struct Bucket {
    const Destination* destination;
    uint64_t seed;  // of the destination's draws
    double weight;  // that of the first binding
    // In the order in which they came; the first one counts, and the next takes
    // its place when it goes.
    std::vector<const Binding*> bindings;
  };

  Bucket* FindBucket(const Destination* destination);

  const HashSource source_;
  std::vector<Bucket> buckets_;
};

// x-modulus-hash: the hash of the key, modulo the number of bindings (PLUG-03).
class ModulusHashExchange : public Exchange {
 public:
  void Bind(const Binding& binding) override;
  void Unbind(const Binding& binding) override;
  void Route(RoutingInput* input, RouteList* routes) const override;

 private:
  // Once for each binding, in the order in which they came.
  std::vector<const Destination*> destinations_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_HASH_EXCHANGES_H_
