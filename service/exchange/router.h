#ifndef KELPMQ_SERVICE_EXCHANGE_ROUTER_H_
#define KELPMQ_SERVICE_EXCHANGE_ROUTER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "service/base/clock.h"
#include "service/base/left_right.h"
#include "service/base/random_sequence.h"
#include "service/base/types.h"
#include "service/exchange/routing_table.h"

namespace kelpmq::service {

// All exchanges and bindings of one vhost, and the routing of messages by them.
//
// Routing reads one of two copies of the table and never waits; a declaration
// changes the copy nobody reads, turns the readers over, and changes the other
// (LeftRight). So a bind costs the same however many bindings there are.
//
// Thread-safety: Route, RouteFrom, CheckPublish, Resolve and RoutesByKeyAlone
// may be called from any thread at any time. All else needs the caller's
// exclusion (the vhost's lock), const calls too.
class Router {
 public:
  // Starts with the pre-declared exchanges (EXB-01).
  //   seed: of the exchanges that pick a destination at random (PLUG-04).
  //   clock: of those that forget after a time (PLUG-07); null: none does.
  explicit Router(const std::string& vhost, uint64_t seed = 0,
                  const Clock* clock = nullptr)
      : random_(std::make_shared<RandomSequence>(seed)),
        clock_(clock),
        tables_(vhost) {}

  // Queues are destinations by name, and implicitly bound to the default
  // exchange (EXB-02). The name must not be in use.
  void AddQueue(const std::string& name, std::shared_ptr<RouteTarget> queue);
  // Removes the queue's bindings, and the auto-delete exchanges that this
  // leaves without any (EXDEL-04, EXDEL-05).
  void RemoveQueue(const std::string& name);

  // See RoutingTable for rules and errors.
  absl::StatusOr<DeclaredExchange> DeclareExchange(const ExchangeSpec& spec,
                                                   bool passive);
  absl::StatusOr<bool> DeleteExchange(const std::string& name, bool if_unused);
  absl::StatusOr<bool> Bind(const BindingSpec& binding);
  absl::StatusOr<bool> Unbind(const BindingSpec& binding);
  bool HasBinding(const BindingSpec& binding) const;

  // The alternate exchange that a policy sets, unless the exchange's arguments
  // name one (POLICY-02, POLICY-03); nullopt: none. No effect if there is no
  // such exchange.
  void SetPolicyAlternate(const std::string& exchange,
                          std::optional<std::string> alternate);

  // What the binding that was added last to this exchange is to be sent;
  // nullopt: nothing. Its messages are to be asked for outside of all locks.
  std::optional<HistoryReplay> ReplayForLastBinding(
      absl::string_view exchange) const;

  absl::StatusOr<ExchangeSpec> FindExchange(absl::string_view name) const;
  std::vector<ExchangeSpec> ListExchanges() const;  // by name; "" first
  // Every binding, implicit ones to the default exchange too, ordered by
  // source, destination, kind, routing key, arguments.
  std::vector<BindingSpec> ListBindings() const;

  // Adds where `message` goes. Routed nowhere: OK and nothing added.
  //   EXCHANGE_NOT_FOUND, INTERNAL_EXCHANGE (EXB-06)
  absl::Status Route(const Message& message, Routes* routes) const;
  // The same for a message that enters at another exchange than it names. Any
  // will do, also an internal one; nothing is added if there is no such one.
  void RouteFrom(absl::string_view exchange, const Message& message,
                 Routes* routes) const;
  // The errors of Route alone, for a message that is to be routed later.
  absl::Status CheckPublish(absl::string_view exchange) const;
  // The queues that Route has named, in the same order; null for one that has
  // gone meanwhile. Apart from Route because many messages of a batch go to
  // few queues, and each reference to a queue that is taken costs.
  ResolvedTargets Resolve(absl::Span<const TargetId> ids) const;

  // True if all messages with this exchange and key go the same way whatever
  // is in them: the result of one may then serve the next.
  bool RoutesByKeyAlone(const Message& message) const;

 private:
  const std::shared_ptr<RandomSequence> random_;
  const Clock* const clock_;
  LeftRight<RoutingTable> tables_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_ROUTER_H_
