// A Router against a model that looks at every binding every time.

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "service/exchange/router.h"
#include "tests/testing/message_encoder.h"
#include "tests/testing/naive_topic.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using testing::ReasonOf;

struct NamedTarget : RouteTarget {
  explicit NamedTarget(std::string n) : name(std::move(n)) {}
  const std::string name;
};

// The rules as they are stated, with no thought for cost.
class NaiveRouter {
 public:
  std::map<std::string, ExchangeSpec> exchanges;
  std::map<std::string, std::string> policy_alternates;  // by exchange
  std::set<std::string> queues;
  std::vector<BindingSpec> bindings;

  void RemoveQueue(const std::string& name) {
    queues.erase(name);
    RemoveBindings([&](const BindingSpec& b) {
      return b.kind == DestinationKind::kQueue && b.destination == name;
    });
  }
  bool DeleteExchange(const std::string& name) {
    if (exchanges.erase(name) == 0) return false;
    policy_alternates.erase(name);
    bindings.erase(
        std::remove_if(bindings.begin(), bindings.end(),
                       [&](const BindingSpec& b) { return b.source == name; }),
        bindings.end());
    RemoveBindings([&](const BindingSpec& b) {
      return b.kind == DestinationKind::kExchange && b.destination == name;
    });
    return true;
  }
  bool IsBound(const BindingSpec& binding) const {
    return std::find(bindings.begin(), bindings.end(), binding) !=
           bindings.end();
  }
  bool IsSource(const std::string& name) const {
    return std::any_of(bindings.begin(), bindings.end(),
                       [&](const BindingSpec& b) { return b.source == name; });
  }
  bool HasDestination(const BindingSpec& b) const {
    return b.kind == DestinationKind::kQueue
               ? queues.count(b.destination) > 0
               : exchanges.count(b.destination) > 0;
  }
  void Unbind(const BindingSpec& binding) {
    RemoveBindings([&](const BindingSpec& b) { return b == binding; });
  }

  std::set<std::string> Route(const std::string& exchange,
                              const std::vector<std::string>& keys,
                              const Table& headers) const {
    std::set<std::string> reached;
    std::set<std::string> visited;
    Visit(exchange, keys, headers, &visited, &reached);
    return reached;
  }

 private:
  template <typename F>
  void RemoveBindings(F&& which) {
    std::set<std::string> sources;
    for (const BindingSpec& b : bindings) {
      if (which(b)) sources.insert(b.source);
    }
    bindings.erase(std::remove_if(bindings.begin(), bindings.end(), which),
                   bindings.end());
    for (const std::string& source : sources) {
      const auto it = exchanges.find(source);
      if (it != exchanges.end() && it->second.auto_delete &&
          !IsSource(source)) {
        DeleteExchange(source);
      }
    }
  }

  static bool HeadersFit(const Table& arguments, const Table& headers) {
    bool all = true, any = false;
    const auto kind = arguments.find("x-match");
    for (const auto& [name, wanted] : arguments) {
      if (absl::StartsWith(name, "x-")) continue;
      const auto header = headers.find(name);
      const bool fits = header != headers.end() &&
                        (wanted.As<Void>() != nullptr ||
                         (IntegerOf(wanted).has_value()
                              ? IntegerOf(wanted) == IntegerOf(header->second)
                              : wanted == header->second));
      all = all && fits;
      any = any || fits;
    }
    const bool wants_any =
        kind != arguments.end() && kind->second == Value("any");
    return wants_any ? any : all;
  }

  // Empty: none. The argument comes before the policy (POLICY-02).
  std::string AlternateOf(const std::string& name) const {
    const Table& arguments = exchanges.at(name).arguments;
    const auto argument = arguments.find("alternate-exchange");
    if (argument != arguments.end()) {
      return std::string(*StringOf(argument->second));
    }
    const auto policy = policy_alternates.find(name);
    return policy == policy_alternates.end() ? "" : policy->second;
  }

  bool Fits(const BindingSpec& b, const std::vector<std::string>& keys,
            const Table& headers) const {
    const std::string& type = exchanges.at(b.source).type;
    if (type == "fanout") return true;
    if (type == "headers") return HeadersFit(b.arguments, headers);
    return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
      return type == "topic" ? testing::NaiveFits(b.routing_key, key)
                             : b.routing_key == key;
    });
  }

  void Visit(const std::string& name, const std::vector<std::string>& keys,
             const Table& headers, std::set<std::string>* visited,
             std::set<std::string>* reached) const {
    if (exchanges.count(name) == 0 || !visited->insert(name).second) return;
    bool matched = false;
    std::vector<std::string> next;
    for (const BindingSpec& b : bindings) {
      if (b.source != name || !Fits(b, keys, headers)) continue;
      matched = true;
      if (b.kind == DestinationKind::kQueue) {
        reached->insert(b.destination);
      } else {
        next.push_back(b.destination);
      }
    }
    const std::string alternate = AlternateOf(name);
    if (!matched && !alternate.empty()) next.push_back(alternate);
    for (const std::string& exchange : next) {
      Visit(exchange, keys, headers, visited, reached);
    }
  }
};

class RoutingModel {
 public:
  explicit RoutingModel(uint32_t seed) : random_(seed) {}

  void Step() {
    const size_t dice = Below(100);
    if (dice < 8) {
      AddQueue();
    } else if (dice < 12) {
      RemoveQueue();
    } else if (dice < 22) {
      Declare();
    } else if (dice < 25) {
      Delete();
    } else if (dice < 55) {
      Bind();
    } else if (dice < 65) {
      Unbind();
    } else if (dice < 70) {
      SetPolicyAlternate();
    } else {
      Route();
    }
  }

  void CheckLists() {
    std::vector<BindingSpec> expected = model_.bindings;
    for (const std::string& queue : model_.queues) {
      expected.push_back({"", DestinationKind::kQueue, queue, queue, {}});
    }
    const std::vector<BindingSpec> listed = router_.ListBindings();
    EXPECT_TRUE(std::is_permutation(listed.begin(), listed.end(),
                                    expected.begin(), expected.end()));
    std::set<std::string> names;
    for (const ExchangeSpec& spec : router_.ListExchanges()) {
      if (spec.name[0] == 'x') names.insert(spec.name);
    }
    std::set<std::string> expected_names;
    for (const auto& [name, spec] : model_.exchanges) {
      expected_names.insert(name);
    }
    EXPECT_EQ(names, expected_names);
  }

 private:
  size_t Below(size_t n) {
    return std::uniform_int_distribution<size_t>(0, n - 1)(random_);
  }
  template <size_t kCount>
  std::string Pick(const std::array<const char*, kCount>& from) {
    return from[Below(kCount)];
  }
  std::string QueueName() { return "q" + std::to_string(Below(6)); }
  std::string ExchangeName() { return "x" + std::to_string(Below(6)); }
  std::string Key() {
    return Pick(
        std::array<const char*, 6>{"", "a", "b", "a.b", "b.a", "a.b.c"});
  }
  Value HeaderValue() {
    switch (Below(4)) {
      case 0:
        return int32_t{1};
      case 1:
        return int64_t{1};
      case 2:
        return "1";
      default:
        return "2";
    }
  }
  BindingSpec Binding() {
    BindingSpec b;
    b.source = ExchangeName();
    b.kind =
        Below(3) == 0 ? DestinationKind::kExchange : DestinationKind::kQueue;
    b.destination =
        b.kind == DestinationKind::kQueue ? QueueName() : ExchangeName();
    b.routing_key = Below(2) == 0
                        ? Key()
                        : Pick(std::array<const char*, 6>{
                              "#", "*", "a.#", "*.b", "#.a", "a.*.#"});
    if (Below(2) == 0) {
      for (const std::string name : {"h", "i", "x-j", "BCC"}) {
        if (Below(2) == 0) b.arguments[name] = HeaderValue();
        if (Below(8) == 0) b.arguments[name] = Void{};
      }
      if (Below(2) == 0) b.arguments["x-match"] = Below(2) ? "any" : "all";
    }
    return b;
  }

  void AddQueue() {
    const std::string name = QueueName();
    if (!model_.queues.insert(name).second) return;
    router_.AddQueue(name, std::make_shared<NamedTarget>(name));
  }
  void RemoveQueue() {
    const std::string name = QueueName();
    router_.RemoveQueue(name);
    model_.RemoveQueue(name);
  }
  void Declare() {
    ExchangeSpec spec;
    spec.name = ExchangeName();
    spec.type = Pick(
        std::array<const char*, 4>{"direct", "fanout", "topic", "headers"});
    spec.auto_delete = Below(3) == 0;
    if (Below(3) == 0) spec.arguments["alternate-exchange"] = ExchangeName();
    const auto declared = router_.DeclareExchange(spec, /*passive=*/false);
    const auto [it, is_new] = model_.exchanges.emplace(spec.name, spec);
    if (is_new) {
      ASSERT_TRUE(declared.ok());
      EXPECT_TRUE(declared->created);
      return;
    }
    const bool equal = it->second.type == spec.type &&
                       it->second.auto_delete == spec.auto_delete &&
                       it->second.arguments == spec.arguments;
    EXPECT_EQ(ReasonOf(declared), equal ? "OK" : "INEQUIVALENT_ARGUMENT");
  }
  void Delete() {
    const std::string name = ExchangeName();
    const bool if_unused = Below(2) == 0;
    const auto deleted = router_.DeleteExchange(name, if_unused);
    if (if_unused && model_.IsSource(name)) {
      EXPECT_EQ(ReasonOf(deleted), "EXCHANGE_IN_USE");
      return;
    }
    ASSERT_TRUE(deleted.ok());
    EXPECT_EQ(*deleted, model_.DeleteExchange(name));
  }
  void Bind() {
    const BindingSpec binding = Binding();
    const auto bound = router_.Bind(binding);
    if (model_.exchanges.count(binding.source) == 0 ||
        !model_.HasDestination(binding)) {
      EXPECT_FALSE(bound.ok());
      return;
    }
    ASSERT_TRUE(bound.ok()) << bound.status();
    EXPECT_EQ(*bound, !model_.IsBound(binding));
    if (*bound) model_.bindings.push_back(binding);
  }
  void Unbind() {
    BindingSpec binding = Binding();
    if (Below(4) > 0 && !model_.bindings.empty()) {
      binding = model_.bindings[Below(model_.bindings.size())];
    }
    const auto unbound = router_.Unbind(binding);
    ASSERT_TRUE(unbound.ok());
    EXPECT_EQ(*unbound, model_.IsBound(binding));
    model_.Unbind(binding);
  }
  void SetPolicyAlternate() {
    const std::string name = ExchangeName();
    std::optional<std::string> alternate;
    if (Below(3) > 0) alternate = ExchangeName();
    router_.SetPolicyAlternate(name, alternate);
    if (model_.exchanges.count(name) == 0) return;
    if (alternate.has_value()) {
      model_.policy_alternates[name] = *alternate;
    } else {
      model_.policy_alternates.erase(name);
    }
  }
  // Further keys of the sender, under this name, also added to `keys`.
  Array SenderKeys(std::vector<std::string>* keys) {
    Array names;
    for (size_t count = Below(3); count > 0; --count) {
      keys->push_back(Key());
      names.push_back(keys->back());
    }
    if (Below(4) == 0) names.push_back(int32_t{1});  // not a key
    return names;
  }
  void Route() {
    const std::string exchange = ExchangeName();
    std::vector<std::string> keys = {Key()};
    Table headers;
    for (const std::string name : {"h", "i"}) {
      if (Below(2) == 0) headers[name] = HeaderValue();
    }
    if (Below(4) == 0) headers["CC"] = SenderKeys(&keys);
    Table sent = headers;
    if (Below(4) == 0) sent["BCC"] = SenderKeys(&keys);
    const MessageRef message =
        testing::MessageWithHeaders(exchange, keys[0], sent);
    Routes routes;
    const absl::Status status = router_.Route(*message, &routes);
    EXPECT_EQ(status.ok(), model_.exchanges.count(exchange) > 0);
    std::set<std::string> reached;
    for (const auto& target : router_.Resolve(routes.targets)) {
      reached.insert(static_cast<const NamedTarget&>(*target).name);
    }
    EXPECT_EQ(reached.size(), routes.targets.size()) << "a copy too many";
    EXPECT_EQ(reached, model_.Route(exchange, keys, headers));
    if (router_.RoutesByKeyAlone(*message)) {
      EXPECT_EQ(reached, model_.Route(exchange, keys, {}));
    }
  }

  std::mt19937 random_;
  Router router_{"/"};
  NaiveRouter model_;
};

TEST(RoutingModel, RandomTopologiesRouteAsTheRulesSay) {
  constexpr uint32_t kSequences = 2000;
  constexpr int kSteps = 150;
  for (uint32_t seed = 0; seed < kSequences; ++seed) {
    RoutingModel model(seed);
    for (int step = 0; step < kSteps; ++step) model.Step();
    model.CheckLists();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace kelpmq::service
