#include "service/exchange/topic_exchange.h"

namespace kelpmq::service {

void TopicExchange::Bind(const Binding& binding) {
  patterns_.Insert(binding.routing_key, binding.destination);
}

void TopicExchange::Unbind(const Binding& binding) {
  patterns_.Remove(binding.routing_key, binding.destination);
}

void TopicExchange::Route(RoutingInput* input, RouteList* routes) const {
  for (const absl::string_view key : input->keys()) {
    patterns_.Match(key, routes);
  }
}

}  // namespace kelpmq::service
