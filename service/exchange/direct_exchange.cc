#include "service/exchange/direct_exchange.h"

namespace kelpmq::service {

void DirectExchange::Bind(const Binding& binding) {
  by_key_[binding.routing_key].Add(binding.destination);
}

void DirectExchange::Unbind(const Binding& binding) {
  const auto it = by_key_.find(binding.routing_key);
  it->second.Remove(binding.destination);
  if (it->second.empty()) by_key_.erase(it);
}

void DirectExchange::Route(RoutingInput* input, RouteList* routes) const {
  for (const absl::string_view key : input->keys()) {
    const auto it = by_key_.find(key);
    if (it != by_key_.end()) routes->AddAll(it->second);
  }
}

}  // namespace kelpmq::service
