#ifndef KELPMQ_SERVICE_EXCHANGE_EXCHANGE_H_
#define KELPMQ_SERVICE_EXCHANGE_EXCHANGE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "service/base/message.h"
#include "service/base/value.h"
#include "service/exchange/binding.h"
#include "service/exchange/destination_set.h"
#include "service/exchange/recent_history.h"

namespace kelpmq::service {

// What of a message decides its way. Decodes the headers when they are first
// asked for, and only once. Thread-safety: thread-compatible.
class RoutingInput {
 public:
  // `message` outlives this.
  explicit RoutingInput(const Message& message);
  RoutingInput(const RoutingInput&) = delete;
  RoutingInput& operator=(const RoutingInput&) = delete;

  // The routing key, then those of CC and BCC (CC-01).
  absl::Span<const absl::string_view> keys() const { return keys_; }
  // Without BCC, which no exchange sees as a header (CC-02).
  const Table& headers();
  const Message& message() const { return message_; }
  // How long a delayed exchange holds the message; nullopt: not at all.
  std::optional<int64_t> delay();

 private:
  const Message& message_;
  std::optional<Table> headers_;
  std::vector<std::string> sender_keys_;
  absl::InlinedVector<absl::string_view, 1> keys_;
};

// Where a message goes, each destination once (DUP-01, E2E-03, E2E-04).
class RouteList {
 public:
  void Add(const Destination* destination) {
    ++matches_;
    (destination->is_queue() ? queues_ : exchanges_).Add(destination);
  }
  void AddAll(const DestinationSet& destinations);

  absl::Span<const Destination* const> queues() const {
    return queues_.members;
  }
  absl::Span<const Destination* const> exchanges() const {
    return exchanges_.members;
  }
  // How often something was added, known already or not.
  size_t matches() const { return matches_; }

  // The exchange keeps the message until its delay is over.
  void HoldAt(const ExchangeEntry* exchange) { holders_.push_back(exchange); }
  const std::vector<const ExchangeEntry*>& holders() const { return holders_; }

 private:
  // Up to this many, looking at each is cheaper than hashing.
  static constexpr size_t kMaxLinear = 16;

  struct Distinct {
    void Add(const Destination* destination);

    absl::InlinedVector<const Destination*, kMaxLinear> members;
    absl::flat_hash_set<const Destination*> index;  // once over kMaxLinear
  };

  Distinct queues_;
  Distinct exchanges_;
  std::vector<const ExchangeEntry*> holders_;
  size_t matches_ = 0;
};

// The matching rules of one exchange type, over the bindings of one exchange.
// Thread-safety: thread-compatible. Owned by the RoutingTable's entry.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // Whether the type takes such a binding (INVALID_ARGUMENT_VALUE if not).
  virtual absl::Status CheckBinding(const BindingSpec& binding) const {
    return absl::OkStatus();
  }
  // `binding` is new and passes CheckBinding; it stays where it is until after
  // Unbind.
  virtual void Bind(const Binding& binding) = 0;
  virtual void Unbind(const Binding& binding) = 0;
  // Adds the destinations of the bindings that match.
  virtual void Route(RoutingInput* input, RouteList* routes) const = 0;
  // Whether routing may depend on more than the keys, or does more than find
  // destinations.
  virtual bool LooksBeyondKeys() const { return false; }
  // Whether it does so though nothing is bound to it.
  virtual bool ActsUnbound() const { return false; }
  // Whether messages with a delay wait before they are routed here.
  virtual bool HoldsDelayed() const { return false; }
  // What the binding that was added last is to be sent; nullopt: nothing.
  virtual std::optional<HistoryReplay> ReplayForLastBinding() const {
    return std::nullopt;
  }
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_EXCHANGE_H_
