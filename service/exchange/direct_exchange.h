#ifndef KELPMQ_SERVICE_EXCHANGE_DIRECT_EXCHANGE_H_
#define KELPMQ_SERVICE_EXCHANGE_DIRECT_EXCHANGE_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "service/exchange/exchange.h"

namespace kelpmq::service {

// Matches bindings whose key is the message's, byte by byte (DIRECT-01).
class DirectExchange : public Exchange {
 public:
  void Bind(const Binding& binding) override;
  void Unbind(const Binding& binding) override;
  void Route(RoutingInput* input, RouteList* routes) const override;

 private:
  absl::flat_hash_map<std::string, DestinationSet> by_key_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_DIRECT_EXCHANGE_H_
