#ifndef KELPMQ_SERVICE_EXCHANGE_FANOUT_EXCHANGE_H_
#define KELPMQ_SERVICE_EXCHANGE_FANOUT_EXCHANGE_H_

#include "service/exchange/exchange.h"

namespace kelpmq::service {

// Matches every binding (FAN-01).
class FanoutExchange : public Exchange {
 public:
  void Bind(const Binding& binding) override;
  void Unbind(const Binding& binding) override;
  void Route(RoutingInput* input, RouteList* routes) const override;

 private:
  DestinationSet destinations_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_FANOUT_EXCHANGE_H_
