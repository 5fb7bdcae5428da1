#ifndef KELPMQ_SERVICE_EXCHANGE_DELAYED_EXCHANGE_H_
#define KELPMQ_SERVICE_EXCHANGE_DELAYED_EXCHANGE_H_

#include <memory>
#include <utility>

#include "service/exchange/exchange.h"

namespace kelpmq::service {

// x-delayed-message: another exchange type, which messages with an x-delay
// header wait for (PLUG-06). The RoutingTable has them wait; what gets here is
// routed.
class DelayedExchange : public Exchange {
 public:
  explicit DelayedExchange(std::unique_ptr<Exchange> type)
      : type_(std::move(type)) {}

  absl::Status CheckBinding(const BindingSpec& binding) const override {
    return type_->CheckBinding(binding);
  }
  void Bind(const Binding& binding) override { type_->Bind(binding); }
  void Unbind(const Binding& binding) override { type_->Unbind(binding); }
  void Route(RoutingInput* input, RouteList* routes) const override {
    type_->Route(input, routes);
  }
  bool LooksBeyondKeys() const override { return true; }
  bool ActsUnbound() const override { return true; }
  bool HoldsDelayed() const override { return true; }
  std::optional<HistoryReplay> ReplayForLastBinding() const override {
    return type_->ReplayForLastBinding();
  }

 private:
  const std::unique_ptr<Exchange> type_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_DELAYED_EXCHANGE_H_
