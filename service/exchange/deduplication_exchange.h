#ifndef KELPMQ_SERVICE_EXCHANGE_DEDUPLICATION_EXCHANGE_H_
#define KELPMQ_SERVICE_EXCHANGE_DEDUPLICATION_EXCHANGE_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/types.h"
#include "service/exchange/exchange.h"
#include "service/exchange/seen_values.h"

namespace kelpmq::service {

// What x-message-deduplication takes as arguments.
struct DeduplicationArguments {
  size_t cache_size = 0;
  absl::Duration cache_ttl = absl::InfiniteDuration();
};

//   INVALID_ARGUMENT_VALUE
absl::StatusOr<DeduplicationArguments> ParseDeduplicationArguments(
    const Table& arguments);

// x-message-deduplication: a fanout that does not route a message whose
// x-deduplication-header it has seen (PLUG-07).
class DeduplicationExchange : public Exchange {
 public:
  DeduplicationExchange(std::shared_ptr<SeenValues> seen, absl::Duration ttl)
      : seen_(std::move(seen)), ttl_(ttl) {}

  void Bind(const Binding& binding) override {
    destinations_.Add(binding.destination);
  }
  void Unbind(const Binding& binding) override {
    destinations_.Remove(binding.destination);
  }
  void Route(RoutingInput* input, RouteList* routes) const override;
  bool LooksBeyondKeys() const override { return true; }
  bool ActsUnbound() const override { return true; }

 private:
  const std::shared_ptr<SeenValues> seen_;
  const absl::Duration ttl_;
  DestinationSet destinations_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_DEDUPLICATION_EXCHANGE_H_
