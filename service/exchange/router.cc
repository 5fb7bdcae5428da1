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
  const ExchangeParts parts = MakeParts(spec, random_, clock_);
  return tables_.Write([&](RoutingTable* table) {
    return table->DeclareExchange(spec, passive, parts);
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

bool Router::HasBinding(const BindingSpec& binding) const {
  return tables_.Peek().HasBinding(binding);
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

void Router::SetPolicyAlternate(const std::string& exchange,
                                std::optional<std::string> alternate) {
  if (!tables_.Peek().NeedsPolicyAlternate(exchange, alternate)) return;
  tables_.Write([&](RoutingTable* table) {
    table->SetPolicyAlternate(exchange, alternate);
  });
}

std::optional<HistoryReplay> Router::ReplayForLastBinding(
    absl::string_view exchange) const {
  return tables_.Peek().ReplayForLastBinding(exchange);
}

absl::Status Router::Route(const Message& message, Routes* routes) const {
  return tables_.Read(
      [&](const RoutingTable& table) { return table.Route(message, routes); });
}

void Router::RouteFrom(absl::string_view exchange, const Message& message,
                       Routes* routes) const {
  tables_.Read([&](const RoutingTable& table) {
    table.RouteFrom(exchange, message, routes);
  });
}

absl::Status Router::CheckPublish(absl::string_view exchange) const {
  return tables_.Read(
      [&](const RoutingTable& table) { return table.CheckPublish(exchange); });
}

ResolvedTargets Router::Resolve(absl::Span<const TargetId> ids) const {
  return tables_.Read(
      [&](const RoutingTable& table) { return table.Resolve(ids); });
}

bool Router::RoutesByKeyAlone(const Message& message) const {
  return tables_.Read([&](const RoutingTable& table) {
    return table.RoutesByKeyAlone(message);
  });
}

}  // namespace kelpmq::service
