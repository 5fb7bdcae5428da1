#include "service/exchange/fanout_exchange.h"

namespace kelpmq::service {

void FanoutExchange::Bind(const Binding& binding) {
  destinations_.Add(binding.destination);
}

void FanoutExchange::Unbind(const Binding& binding) {
  destinations_.Remove(binding.destination);
}

void FanoutExchange::Route(RoutingInput* /*input*/, RouteList* routes) const {
  routes->AddAll(destinations_);
}

}  // namespace kelpmq::service
