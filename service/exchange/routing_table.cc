#include "service/exchange/routing_table.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/exchange/topology_errors.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kDefaultExchangeName = "";
constexpr absl::string_view kReservedPrefix = "amq.";

// EXB-01.
struct Predeclared {
  absl::string_view name;
  absl::string_view type;
  bool internal;
};
constexpr Predeclared kPredeclared[] = {
    {kDefaultExchangeName, "direct", false},
    {"amq.direct", "direct", false},
    {"amq.fanout", "fanout", false},
    {"amq.headers", "headers", false},
    {"amq.match", "headers", false},
    {"amq.rabbitmq.trace", "topic", true},
    {"amq.topic", "topic", false},
};

const Value* FindArgument(const Table& arguments, absl::string_view name) {
  const auto it = arguments.find(name);
  return it == arguments.end() ? nullptr : &it->second;
}

}  // namespace

size_t BindingHash::operator()(const BindingKey& key) const {
  return absl::Hash<
      std::tuple<const Destination*, absl::string_view, absl::string_view>>()(
      std::make_tuple(key.destination, key.routing_key,
                      key.arguments_identity));
}

size_t BindingHash::operator()(const std::unique_ptr<Binding>& binding) const {
  return (*this)(BindingEq::KeyOf(binding));
}

RoutingTable::RoutingTable(const std::string& vhost) : vhost_(vhost) {
  for (const Predeclared& exchange : kPredeclared) {
    ExchangeSpec spec;
    spec.name = std::string(exchange.name);
    spec.type = std::string(exchange.type);
    spec.durable = true;
    spec.internal = exchange.internal;
    AddExchange(spec, MakeExchange(spec, ExchangeParts()));
  }
}

void RoutingTable::AddQueue(const std::string& name,
                            std::shared_ptr<RouteTarget> queue) {
  queues_[name] = destinations_.Add(name, std::move(queue));
}

void RoutingTable::RemoveQueue(const std::string& name) {
  const auto it = queues_.find(name);
  if (it == queues_.end()) return;
  std::vector<ExchangeEntry*> emptied;
  EraseIncoming(it->second, &emptied);
  destinations_.Remove(it->second);
  queues_.erase(it);
  EraseAbandoned(std::move(emptied));
}

// ---- Exchanges ----

ExchangeEntry* RoutingTable::FindEntry(absl::string_view name) const {
  const auto it = exchanges_.find(name);
  return it == exchanges_.end() ? nullptr : it->second.get();
}

ExchangeEntry* RoutingTable::AddExchange(const ExchangeSpec& spec,
                                         std::unique_ptr<Exchange> exchange) {
  auto entry = std::make_unique<ExchangeEntry>();
  entry->spec = spec;
  entry->exchange = std::move(exchange);
  if (const Value* value = FindArgument(spec.arguments, kAlternateExchange)) {
    entry->alternate = std::string(*StringOf(*value));
  }
  entry->destination.record = std::make_unique<Destination::Record>();
  entry->destination.record->name = spec.name;
  entry->destination.record->exchange = entry.get();
  if (entry->exchange->ActsUnbound()) ++beyond_keys_;
  return (exchanges_[spec.name] = std::move(entry)).get();
}

absl::StatusOr<DeclaredExchange> RoutingTable::DeclareExchange(
    const ExchangeSpec& spec, bool passive, const ExchangeParts& parts) {
  if (spec.name.empty()) return DefaultExchangeError();
  absl::Status valid = CheckTopologyName("exchange name", spec.name);
  if (!valid.ok()) return valid;
  const ExchangeEntry* entry = FindEntry(spec.name);
  if (passive) {
    if (entry == nullptr) return NoExchangeError(spec.name, vhost_);
    return DeclaredExchange{entry->spec, false};
  }
  absl::Status known = CheckExchangeType(spec.type);
  if (!known.ok()) return known;
  if (entry != nullptr) {
    absl::Status equivalent = CheckEquivalent(entry->spec, spec, vhost_);
    if (!equivalent.ok()) return equivalent;
    return DeclaredExchange{entry->spec, false};
  }
  if (absl::StartsWith(spec.name, kReservedPrefix)) {
    return ReservedExchangeError(spec.name);
  }
  const Value* alternate = FindArgument(spec.arguments, kAlternateExchange);
  if (alternate != nullptr && !StringOf(*alternate).has_value()) {
    return ArgumentTypeError(*alternate, kAlternateExchange, spec.name, vhost_);
  }
  absl::Status arguments = CheckTypeArguments(spec);
  if (!arguments.ok()) return arguments;
  return DeclaredExchange{AddExchange(spec, MakeExchange(spec, parts))->spec,
                          true};
}

absl::StatusOr<bool> RoutingTable::DeleteExchange(const std::string& name,
                                                  bool if_unused) {
  if (name.empty()) return DefaultExchangeError();
  absl::Status valid = CheckTopologyName("exchange name", name);
  if (!valid.ok()) return valid;
  if (absl::StartsWith(name, kReservedPrefix)) {
    return SystemExchangeError(name, vhost_);
  }
  ExchangeEntry* const entry = FindEntry(name);
  if (entry == nullptr) return false;
  if (if_unused && !entry->bindings.empty()) {
    return ExchangeInUseError(name, vhost_);
  }
  std::vector<ExchangeEntry*> emptied;
  EraseExchange(entry, &emptied);
  EraseAbandoned(std::move(emptied));
  return true;
}

bool RoutingTable::NeedsPolicyAlternate(
    absl::string_view exchange,
    const std::optional<std::string>& alternate) const {
  const ExchangeEntry* const entry = FindEntry(exchange);
  return entry != nullptr && entry->alternate != alternate &&
         FindArgument(entry->spec.arguments, kAlternateExchange) == nullptr;
}

void RoutingTable::SetPolicyAlternate(
    absl::string_view exchange, const std::optional<std::string>& alternate) {
  if (NeedsPolicyAlternate(exchange, alternate)) {
    FindEntry(exchange)->alternate = alternate;
  }
}

// ---- Bindings ----

Destination* RoutingTable::FindDestination(const BindingSpec& binding) const {
  if (binding.kind == DestinationKind::kExchange) {
    ExchangeEntry* const entry = FindEntry(binding.destination);
    return entry == nullptr ? nullptr : &entry->destination;
  }
  const auto it = queues_.find(binding.destination);
  return it == queues_.end() ? nullptr : it->second;
}

absl::StatusOr<bool> RoutingTable::Bind(const BindingSpec& spec) {
  absl::Status valid = CheckBindingNames(spec);
  if (!valid.ok()) return valid;
  ExchangeEntry* const source = FindEntry(spec.source);
  if (source == nullptr) return NoExchangeError(spec.source, vhost_);
  Destination* const destination = FindDestination(spec);
  if (destination == nullptr) {
    return spec.kind == DestinationKind::kExchange
               ? NoExchangeError(spec.destination, vhost_)
               : NoQueueError(spec.destination, vhost_);
  }
  absl::Status accepted = source->exchange->CheckBinding(spec);
  if (!accepted.ok()) return accepted;
  auto binding = std::make_unique<Binding>();
  binding->source = source;
  binding->destination = destination;
  binding->routing_key = spec.routing_key;
  binding->arguments = spec.arguments;
  binding->arguments_identity = ArgumentsIdentity(spec.arguments);
  const auto [it, is_new] = source->bindings.insert(std::move(binding));
  if (!is_new) return false;
  Binding* const added = it->get();
  std::vector<Binding*>& incoming = destination->record->incoming;
  added->incoming_index = incoming.size();
  incoming.push_back(added);
  if (!destination->is_queue()) ++source->exchange_bindings;
  if (source->exchange->LooksBeyondKeys()) ++beyond_keys_;
  source->exchange->Bind(*added);
  return true;
}

std::optional<HistoryReplay> RoutingTable::ReplayForLastBinding(
    absl::string_view exchange) const {
  const ExchangeEntry* const entry = FindEntry(exchange);
  if (entry == nullptr) return std::nullopt;
  return entry->exchange->ReplayForLastBinding();
}

absl::StatusOr<bool> RoutingTable::Unbind(const BindingSpec& spec) {
  absl::Status valid = CheckBindingNames(spec);
  if (!valid.ok()) return valid;
  Binding* const binding = FindBinding(spec);
  if (binding == nullptr) return false;
  ExchangeEntry* const source = binding->source;
  EraseBinding(binding);
  if (source->bindings.empty()) EraseAbandoned({source});
  return true;
}

bool RoutingTable::HasBinding(const BindingSpec& spec) const {
  return FindBinding(spec) != nullptr;
}

Binding* RoutingTable::FindBinding(const BindingSpec& spec) const {
  const ExchangeEntry* const source = FindEntry(spec.source);
  const Destination* const destination = FindDestination(spec);
  if (source == nullptr || destination == nullptr) return nullptr;
  const std::string identity = ArgumentsIdentity(spec.arguments);
  const auto it = source->bindings.find(
      BindingKey{destination, spec.routing_key, identity});
  return it == source->bindings.end() ? nullptr : it->get();
}

void RoutingTable::EraseBinding(Binding* binding) {
  ExchangeEntry* const source = binding->source;
  std::vector<Binding*>& incoming = binding->destination->record->incoming;
  source->exchange->Unbind(*binding);
  if (!binding->destination->is_queue()) --source->exchange_bindings;
  if (source->exchange->LooksBeyondKeys()) --beyond_keys_;
  incoming[binding->incoming_index] = incoming.back();
  incoming[binding->incoming_index]->incoming_index = binding->incoming_index;
  incoming.pop_back();
  source->bindings.erase(BindingEq::KeyOf(*binding));
}

void RoutingTable::EraseIncoming(Destination* destination,
                                 std::vector<ExchangeEntry*>* emptied) {
  const std::vector<Binding*>& incoming = destination->record->incoming;
  while (!incoming.empty()) {
    Binding* const binding = incoming.back();
    ExchangeEntry* const source = binding->source;
    EraseBinding(binding);
    if (source->bindings.empty()) emptied->push_back(source);
  }
}

void RoutingTable::EraseExchange(ExchangeEntry* entry,
                                 std::vector<ExchangeEntry*>* emptied) {
  // First the bindings from it, so that one to itself does not count it among
  // the exchanges to look at.
  while (!entry->bindings.empty()) EraseBinding(entry->bindings.begin()->get());
  EraseIncoming(&entry->destination, emptied);
  if (entry->exchange->ActsUnbound()) --beyond_keys_;
  exchanges_.erase(entry->spec.name);
}

void RoutingTable::EraseAbandoned(std::vector<ExchangeEntry*> emptied) {
  // Each gets on the list once, when its last binding goes: removing one
  // cannot touch another on the list, for none of them is a source any more.
  while (!emptied.empty()) {
    ExchangeEntry* const entry = emptied.back();
    emptied.pop_back();
    if (entry->spec.auto_delete) EraseExchange(entry, &emptied);
  }
}

// ---- Routing ----

absl::StatusOr<const ExchangeEntry*> RoutingTable::FindForPublish(
    absl::string_view name) const {
  const ExchangeEntry* const entry = FindEntry(name);
  if (entry == nullptr) return NoExchangeError(name, vhost_);
  if (entry->spec.internal) return InternalExchangeError(name, vhost_);
  return entry;
}

absl::Status RoutingTable::CheckPublish(absl::string_view exchange) const {
  return FindForPublish(exchange).status();
}

absl::Status RoutingTable::Route(const Message& message, Routes* routes) const {
  const auto entry = FindForPublish(message.exchange());
  if (!entry.ok()) return entry.status();
  RouteEntry(**entry, message, routes);
  return absl::OkStatus();
}

void RoutingTable::RouteFrom(absl::string_view exchange, const Message& message,
                             Routes* routes) const {
  const ExchangeEntry* const entry = FindEntry(exchange);
  if (entry != nullptr) RouteEntry(*entry, message, routes);
}

void RoutingTable::RouteEntry(const ExchangeEntry& start,
                              const Message& message, Routes* routes) const {
  RoutingInput input(message);
  RouteList found;
  Walk(start, &input, &found);
  for (const Destination* queue : found.queues()) {
    routes->targets.push_back(queue->id);
  }
  for (const ExchangeEntry* holder : found.holders()) {
    routes->holders.push_back(holder->spec.name);
  }
}

ResolvedTargets RoutingTable::Resolve(absl::Span<const TargetId> ids) const {
  ResolvedTargets targets;
  targets.reserve(ids.size());
  for (const TargetId id : ids) {
    const Destination* const destination = destinations_.Find(id);
    targets.push_back(destination == nullptr ? nullptr : destination->queue);
  }
  return targets;
}

void RoutingTable::Walk(const ExchangeEntry& start, RoutingInput* input,
                        RouteList* routes) const {
  // The list of exchanges reached is the work left, and keeps each from being
  // visited twice (E2E-03, AE-04).
  routes->Add(&start.destination);
  for (size_t i = 0; i < routes->exchanges().size(); ++i) {
    const ExchangeEntry& entry = *routes->exchanges()[i]->record->exchange;
    const size_t matches_before = routes->matches();
    if (entry.exchange->HoldsDelayed() && input->delay().has_value()) {
      // Neither routed nor unroutable until the delay is over.
      routes->HoldAt(&entry);
      continue;
    }
    if (entry.spec.name == kDefaultExchangeName) {
      RouteByQueueName(*input, routes);
    } else {
      entry.exchange->Route(input, routes);
    }
    if (routes->matches() > matches_before || !entry.alternate.has_value()) {
      continue;
    }
    // The default exchange is none for others: it has no bindings of its own.
    const ExchangeEntry* const alternate =
        *entry.alternate == kDefaultExchangeName ? nullptr
                                                 : FindEntry(*entry.alternate);
    if (alternate != nullptr) routes->Add(&alternate->destination);
  }
}

void RoutingTable::RouteByQueueName(const RoutingInput& input,
                                    RouteList* routes) const {
  for (const absl::string_view key : input.keys()) {
    const auto it = queues_.find(key);
    if (it != queues_.end()) routes->Add(it->second);
  }
}

bool RoutingTable::RoutesByKeyAlone(const Message& message) const {
  if (message.marks().has_sender_keys) return false;
  if (beyond_keys_ == 0) return true;
  const ExchangeEntry* const entry = FindEntry(message.exchange());
  return entry != nullptr && !entry->exchange->LooksBeyondKeys() &&
         entry->exchange_bindings == 0 && !entry->alternate.has_value();
}

// ---- Lists ----

absl::StatusOr<ExchangeSpec> RoutingTable::FindExchange(
    absl::string_view name) const {
  const ExchangeEntry* const entry = FindEntry(name);
  if (entry == nullptr) return NoExchangeError(name, vhost_);
  return entry->spec;
}

std::vector<ExchangeSpec> RoutingTable::ListExchanges() const {
  std::vector<ExchangeSpec> exchanges;
  exchanges.reserve(exchanges_.size());
  for (const auto& [name, entry] : exchanges_) exchanges.push_back(entry->spec);
  std::sort(exchanges.begin(), exchanges.end(),
            [](const ExchangeSpec& a, const ExchangeSpec& b) {
              return a.name < b.name;
            });
  return exchanges;
}

std::vector<BindingSpec> RoutingTable::ListBindings() const {
  std::vector<const Binding*> bindings;
  for (const auto& [name, entry] : exchanges_) {
    for (const auto& binding : entry->bindings) {
      bindings.push_back(binding.get());
    }
  }
  const auto key = [](const Binding* b) {
    return std::tuple<const std::string&, const std::string&, bool,
                      const std::string&, const std::string&>(
        b->source->spec.name, b->destination->record->name,
        !b->destination->is_queue(), b->routing_key, b->arguments_identity);
  };
  std::sort(
      bindings.begin(), bindings.end(),
      [&](const Binding* a, const Binding* b) { return key(a) < key(b); });
  std::vector<const std::string*> queues;
  for (const auto& [name, queue] : queues_) queues.push_back(&name);
  std::sort(queues.begin(), queues.end(),
            [](const std::string* a, const std::string* b) { return *a < *b; });
  // The default exchange sorts first, and has no bindings of its own.
  std::vector<BindingSpec> result;
  result.reserve(queues.size() + bindings.size());
  for (const std::string* name : queues) {
    result.push_back({std::string(kDefaultExchangeName),
                      DestinationKind::kQueue,
                      *name,
                      *name,
                      {}});
  }
  for (const Binding* b : bindings) {
    result.push_back({b->source->spec.name,
                      b->destination->is_queue() ? DestinationKind::kQueue
                                                 : DestinationKind::kExchange,
                      b->destination->record->name, b->routing_key,
                      b->arguments});
  }
  return result;
}

}  // namespace kelpmq::service
