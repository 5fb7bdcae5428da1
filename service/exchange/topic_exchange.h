#ifndef KELPMQ_SERVICE_EXCHANGE_TOPIC_EXCHANGE_H_
#define KELPMQ_SERVICE_EXCHANGE_TOPIC_EXCHANGE_H_

#include "service/exchange/exchange.h"
#include "service/exchange/topic_trie.h"

namespace kelpmq::service {

// Matches bindings whose key is a pattern that the message's key fits
// (TOPIC-01).
class TopicExchange : public Exchange {
 public:
  void Bind(const Binding& binding) override;
  void Unbind(const Binding& binding) override;
  void Route(RoutingInput* input, RouteList* routes) const override;

 private:
  TopicTrie patterns_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_TOPIC_EXCHANGE_H_
