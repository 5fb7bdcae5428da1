#ifndef KELPMQ_SERVICE_EXCHANGE_ROUTING_TABLE_H_
#define KELPMQ_SERVICE_EXCHANGE_ROUTING_TABLE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "service/base/message.h"
#include "service/base/types.h"
#include "service/exchange/binding.h"
#include "service/exchange/destination.h"
#include "service/exchange/exchange.h"
#include "service/exchange/exchange_types.h"

namespace kelpmq::service {

// Where one message goes.
struct Routes {
  std::vector<TargetId> targets;  // each queue once (DUP-01, E2E-04)
  // Exchanges that want the message back when its delay is over (PLUG-06).
  std::vector<std::string> holders;

  bool empty() const { return targets.empty() && holders.empty(); }
  void clear() {
    targets.clear();
    holders.clear();
  }
};

struct DeclaredExchange {
  ExchangeSpec exchange;  // as it was first declared
  bool created = false;
};

// Finds bindings by what they are identified by within their source.
struct BindingKey {
  const Destination* destination;
  absl::string_view routing_key;
  absl::string_view arguments_identity;
};
struct BindingHash {
  using is_transparent = void;
  size_t operator()(const BindingKey& key) const;
  size_t operator()(const std::unique_ptr<Binding>& binding) const;
};
struct BindingEq {
  using is_transparent = void;
  static BindingKey KeyOf(const BindingKey& key) { return key; }
  static BindingKey KeyOf(const Binding& binding) {
    return {binding.destination, binding.routing_key,
            binding.arguments_identity};
  }
  static BindingKey KeyOf(const std::unique_ptr<Binding>& binding) {
    return KeyOf(*binding);
  }
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    const BindingKey x = KeyOf(a), y = KeyOf(b);
    return x.destination == y.destination && x.routing_key == y.routing_key &&
           x.arguments_identity == y.arguments_identity;
  }
};

// One exchange of a RoutingTable.
struct ExchangeEntry {
  ExchangeSpec spec;
  std::unique_ptr<Exchange> exchange;
  // The alternate exchange: that of the arguments, else that of a policy.
  std::optional<std::string> alternate;
  Destination destination;       // as the destination of bindings
  size_t exchange_bindings = 0;  // of `bindings`, those to exchanges
  absl::flat_hash_set<std::unique_ptr<Binding>, BindingHash, BindingEq>
      bindings;  // those it is the source of
};

// All exchanges, bindings and queues of one vhost: the rules of declaring and
// binding, and the way of a message along them. No call costs more with more
// bindings that it does not concern, but for the lists.
//
// Thread-safety: thread-compatible. Equal calls on equal tables have equal
// results, as LeftRight needs.
class RoutingTable {
 public:
  // Has the pre-declared exchanges (EXB-01). `vhost` is for error texts.
  explicit RoutingTable(const std::string& vhost);
  RoutingTable(const RoutingTable&) = delete;
  RoutingTable& operator=(const RoutingTable&) = delete;

  // The name must not be in use.
  void AddQueue(const std::string& name, std::shared_ptr<RouteTarget> queue);
  // No effect if there is none.
  void RemoveQueue(const std::string& name);

  // Errors: INVALID_NAME, EXCHANGE_TYPE_UNKNOWN, DEFAULT_EXCHANGE (EXB-04),
  // RESERVED_NAME (EXB-05), INVALID_ARGUMENT_VALUE (EXD-05),
  // INEQUIVALENT_ARGUMENT (EXD-02), EXCHANGE_NOT_FOUND (passive, EXD-04).
  //   parts: of the exchange if it is new; the same for both copies.
  absl::StatusOr<DeclaredExchange> DeclareExchange(const ExchangeSpec& spec,
                                                   bool passive,
                                                   const ExchangeParts& parts);
  // True if there was one (EXDEL-01). Errors: INVALID_NAME, DEFAULT_EXCHANGE
  // ("" and amq.*), EXCHANGE_IN_USE (EXDEL-02).
  absl::StatusOr<bool> DeleteExchange(const std::string& name, bool if_unused);
  // True if it is new. Errors: INVALID_NAME, DEFAULT_EXCHANGE (EXB-03),
  // EXCHANGE_NOT_FOUND, QUEUE_NOT_FOUND (BIND-01), INVALID_ARGUMENT_VALUE
  // (HDR-10).
  absl::StatusOr<bool> Bind(const BindingSpec& binding);
  // Whether SetPolicyAlternate would change anything.
  bool NeedsPolicyAlternate(absl::string_view exchange,
                            const std::optional<std::string>& alternate) const;
  void SetPolicyAlternate(absl::string_view exchange,
                          const std::optional<std::string>& alternate);
  // What the newest binding of an exchange is to be sent; nullopt: nothing.
  std::optional<HistoryReplay> ReplayForLastBinding(
      absl::string_view exchange) const;
  // True if it was there (BIND-04). Errors: INVALID_NAME, DEFAULT_EXCHANGE.
  absl::StatusOr<bool> Unbind(const BindingSpec& binding);
  // Whether Unbind would remove something.
  bool HasBinding(const BindingSpec& binding) const;

  // EXCHANGE_NOT_FOUND.
  absl::StatusOr<ExchangeSpec> FindExchange(absl::string_view name) const;
  // In the order that Router gives.
  std::vector<ExchangeSpec> ListExchanges() const;
  std::vector<BindingSpec> ListBindings() const;

  // As Router's.
  absl::Status CheckPublish(absl::string_view exchange) const;
  absl::Status Route(const Message& message, Routes* routes) const;
  void RouteFrom(absl::string_view exchange, const Message& message,
                 Routes* routes) const;
  ResolvedTargets Resolve(absl::Span<const TargetId> ids) const;
  bool RoutesByKeyAlone(const Message& message) const;

 private:
  ExchangeEntry* FindEntry(absl::string_view name) const;
  ExchangeEntry* AddExchange(const ExchangeSpec& spec,
                             std::unique_ptr<Exchange> exchange);
  // The binding of this identity (BIND-03), or null.
  Binding* FindBinding(const BindingSpec& binding) const;
  // The destination that the binding names, or null.
  Destination* FindDestination(const BindingSpec& binding) const;
  // The exchange `name` for publishing: EXCHANGE_NOT_FOUND, INTERNAL_EXCHANGE.
  absl::StatusOr<const ExchangeEntry*> FindForPublish(
      absl::string_view name) const;
  // Follows bindings between exchanges and alternate exchanges from `start`.
  void Walk(const ExchangeEntry& start, RoutingInput* input,
            RouteList* routes) const;
  void RouteEntry(const ExchangeEntry& start, const Message& message,
                  Routes* routes) const;
  // The default exchange's way.
  void RouteByQueueName(const RoutingInput& input, RouteList* routes) const;

  // Removes it from both of its ends.
  void EraseBinding(Binding* binding);
  // Removes all bindings to `destination`; appends the exchanges that this
  // leaves without any of their own.
  void EraseIncoming(Destination* destination,
                     std::vector<ExchangeEntry*>* emptied);
  // Removes the exchange and its bindings, appending as EraseIncoming does.
  void EraseExchange(ExchangeEntry* entry,
                     std::vector<ExchangeEntry*>* emptied);
  // Of exchanges that have lost their last binding, removes those that delete
  // themselves, and so on upstream (EXDEL-04, EXDEL-05).
  void EraseAbandoned(std::vector<ExchangeEntry*> emptied);

  std::string vhost_;
  absl::flat_hash_map<std::string, std::unique_ptr<ExchangeEntry>> exchanges_;
  QueueDestinations destinations_;
  absl::flat_hash_map<std::string, Destination*> queues_;  // in destinations_
  // Bindings whose source looks beyond keys, and exchanges that act without
  // bindings: as long as there are none, keys alone decide.
  size_t beyond_keys_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_ROUTING_TABLE_H_
