#include "service/exchange/recent_history_exchange.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kNoStoreHeader = "x-recent-history-no-store";

bool WantsStoring(const Table& headers) {
  const auto header = headers.find(kNoStoreHeader);
  if (header == headers.end()) return true;
  const bool* const no_store = header->second.As<bool>();
  return no_store == nullptr || !*no_store;
}

}  // namespace

void RecentHistoryExchange::Bind(const Binding& binding) {
  destinations_.Add(binding.destination);
  ++bindings_;
}

void RecentHistoryExchange::Unbind(const Binding& binding) {
  destinations_.Remove(binding.destination);
}

void RecentHistoryExchange::Route(RoutingInput* input,
                                  RouteList* routes) const {
  if (WantsStoring(input->headers())) {
    history_->Store(MessageRef::Share(input->message()), bindings_);
  }
  routes->AddAll(destinations_);
}

}  // namespace kelpmq::service
