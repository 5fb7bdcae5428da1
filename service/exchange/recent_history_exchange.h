#ifndef KELPMQ_SERVICE_EXCHANGE_RECENT_HISTORY_EXCHANGE_H_
#define KELPMQ_SERVICE_EXCHANGE_RECENT_HISTORY_EXCHANGE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "service/exchange/exchange.h"
#include "service/exchange/recent_history.h"

namespace kelpmq::service {

// x-recent-history: a fanout that remembers its last messages for whoever is
// bound later (PLUG-05).
class RecentHistoryExchange : public Exchange {
 public:
  explicit RecentHistoryExchange(std::shared_ptr<RecentHistory> history)
      : history_(std::move(history)) {}

  void Bind(const Binding& binding) override;
  void Unbind(const Binding& binding) override;
  void Route(RoutingInput* input, RouteList* routes) const override;
  bool LooksBeyondKeys() const override { return true; }
  bool ActsUnbound() const override { return true; }
  std::optional<HistoryReplay> ReplayForLastBinding() const override {
    return HistoryReplay{history_, bindings_};
  }

 private:
  const std::shared_ptr<RecentHistory> history_;
  DestinationSet destinations_;
  uint64_t bindings_ = 0;  // so far, those that are gone too
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_RECENT_HISTORY_EXCHANGE_H_
