#ifndef KELPMQ_SERVICE_EXCHANGE_RANDOM_EXCHANGE_H_
#define KELPMQ_SERVICE_EXCHANGE_RANDOM_EXCHANGE_H_

#include <memory>
#include <utility>

#include "service/base/random_sequence.h"
#include "service/exchange/exchange.h"

namespace kelpmq::service {

// x-random and x-local-random: one destination for each message, any of them
// (PLUG-04). Several bindings of one destination count as one.
class RandomExchange : public Exchange {
 public:
  explicit RandomExchange(std::shared_ptr<RandomSequence> random)
      : random_(std::move(random)) {}

  void Bind(const Binding& binding) override {
    destinations_.Add(binding.destination);
  }
  void Unbind(const Binding& binding) override {
    destinations_.Remove(binding.destination);
  }
  void Route(RoutingInput* /*input*/, RouteList* routes) const override {
    if (destinations_.empty()) return;
    routes->Add(destinations_[random_->Below(destinations_.size())]);
  }
  bool LooksBeyondKeys() const override { return true; }

 private:
  const std::shared_ptr<RandomSequence> random_;
  DestinationSet destinations_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_RANDOM_EXCHANGE_H_
