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

namespace kelpmq::service {

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
  std::optional<std::string> alternate;  // alternate-exchange, if given
  Destination destination;               // as the destination of bindings
  size_t exchange_bindings = 0;          // of `bindings`, those to exchanges
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
  absl::StatusOr<DeclaredExchange> DeclareExchange(const ExchangeSpec& spec,
                                                   bool passive);
  // True if there was one (EXDEL-01). Errors: INVALID_NAME, DEFAULT_EXCHANGE
  // ("" and amq.*), EXCHANGE_IN_USE (EXDEL-02).
  absl::StatusOr<bool> DeleteExchange(const std::string& name, bool if_unused);
  // True if it is new. Errors: INVALID_NAME, DEFAULT_EXCHANGE (EXB-03),
  // EXCHANGE_NOT_FOUND, QUEUE_NOT_FOUND (BIND-01), INVALID_ARGUMENT_VALUE
  // (HDR-10).
  absl::StatusOr<bool> Bind(const BindingSpec& binding);
  // True if it was there (BIND-04). Errors: INVALID_NAME, DEFAULT_EXCHANGE.
  absl::StatusOr<bool> Unbind(const BindingSpec& binding);

  // EXCHANGE_NOT_FOUND.
  absl::StatusOr<ExchangeSpec> FindExchange(absl::string_view name) const;
  // In the order that Router gives.
  std::vector<ExchangeSpec> ListExchanges() const;
  std::vector<BindingSpec> ListBindings() const;

  // As Router's.
  absl::Status Route(const Message& message,
                     std::vector<TargetId>* targets) const;
  void RouteDeadLetter(const Message& letter,
                       std::vector<TargetId>* targets) const;
  std::vector<std::shared_ptr<RouteTarget>> Resolve(
      absl::Span<const TargetId> ids) const;
  bool RoutesByKeyAlone(const Message& message) const;

 private:
  ExchangeEntry* FindEntry(absl::string_view name) const;
  ExchangeEntry* AddExchange(const ExchangeSpec& spec,
                             std::unique_ptr<Exchange> exchange);
  // The destination that the binding names, or null.
  Destination* FindDestination(const BindingSpec& binding) const;
  // The queues that a message reaches from `start`, appended to `targets`.
  void RouteTo(const ExchangeEntry& start, const Message& message,
               std::vector<TargetId>* targets) const;
  // Follows bindings between exchanges and alternate exchanges from `start`.
  void RouteFrom(const ExchangeEntry& start, RoutingInput* input,
                 RouteList* routes) const;
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
  size_t headers_bindings_ = 0;  // those whose source is a headers exchange
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_ROUTING_TABLE_H_
