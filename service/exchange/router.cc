#include "service/exchange/router.h"

namespace kelpmq::service {

void Router::AddQueue(const std::string& name,
                      std::shared_ptr<RouteTarget> queue) {
  tables_.Write([&](RoutingTable* table) { table->AddQueue(name, queue); });
}

void Router::RemoveQueue(const std::string& name) {
  tables_.Write([&](RoutingTable* table) { table->RemoveQueue(name); });
}

absl::StatusOr<DeclaredExchange> Router::DeclareExchange(
    const ExchangeSpec& spec, bool passive) {
  return tables_.Write([&](RoutingTable* table) {
    return table->DeclareExchange(spec, passive);
  });
}

absl::StatusOr<bool> Router::DeleteExchange(const std::string& name,
                                            bool if_unused) {
  return tables_.Write([&](RoutingTable* table) {
    return table->DeleteExchange(name, if_unused);
  });
}

absl::StatusOr<bool> Router::Bind(const BindingSpec& binding) {
  return tables_.Write(
      [&](RoutingTable* table) { return table->Bind(binding); });
}

absl::StatusOr<bool> Router::Unbind(const BindingSpec& binding) {
  return tables_.Write(
      [&](RoutingTable* table) { return table->Unbind(binding); });
}

absl::StatusOr<ExchangeSpec> Router::FindExchange(
    absl::string_view name) const {
  return tables_.Peek().FindExchange(name);
}

std::vector<ExchangeSpec> Router::ListExchanges() const {
  return tables_.Peek().ListExchanges();
}

std::vector<BindingSpec> Router::ListBindings() const {
  return tables_.Peek().ListBindings();
}

absl::Status Router::Route(const Message& message,
                           std::vector<TargetId>* targets) const {
  return tables_.Read(
      [&](const RoutingTable& table) { return table.Route(message, targets); });
}

std::vector<std::shared_ptr<RouteTarget>> Router::Resolve(
    absl::Span<const TargetId> ids) const {
  return tables_.Read(
      [&](const RoutingTable& table) { return table.Resolve(ids); });
}

void Router::RouteDeadLetter(const Message& letter,
                             std::vector<TargetId>* targets) const {
  tables_.Read([&](const RoutingTable& table) {
    table.RouteDeadLetter(letter, targets);
  });
}

bool Router::RoutesByKeyAlone(const Message& message) const {
  return tables_.Read([&](const RoutingTable& table) {
    return table.RoutesByKeyAlone(message);
  });
}

}  // namespace kelpmq::service
