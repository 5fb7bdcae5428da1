// Plays the recorded RabbitMQ cases that concern routing alone against a
// Router. (All cases run over the wire in tests/conformance; these run here
// also under the sanitizers, and name the culprit.)

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "service/base/error.h"
#include "tests/testing/routing_fixture.h"

namespace kelpmq::service {
namespace {

using nlohmann::json;

Table ToTable(const json& object);

// As tests/conformance writes values.
Value ToValue(const json& j) {
  switch (j.type()) {
    case json::value_t::string:
      return j.get<std::string>();
    case json::value_t::boolean:
      return j.get<bool>();
    case json::value_t::number_float:
      return j.get<double>();
    case json::value_t::number_integer:
    case json::value_t::number_unsigned: {
      const auto n = j.get<int64_t>();
      if (n == static_cast<int32_t>(n)) return static_cast<int32_t>(n);
      return n;
    }
    case json::value_t::array: {
      Array array;
      for (const json& element : j) array.push_back(ToValue(element));
      return array;
    }
    case json::value_t::object:
      break;
    default:
      return Void{};
  }
  if (j.size() == 1 && j.begin().key()[0] == '$') {
    const std::string kind = j.begin().key();
    const json& v = j.begin().value();
    if (kind == "$int8") return v.get<int8_t>();
    if (kind == "$uint8") return v.get<uint8_t>();
    if (kind == "$int16") return v.get<int16_t>();
    if (kind == "$uint16") return v.get<uint16_t>();
    if (kind == "$int32") return v.get<int32_t>();
    if (kind == "$uint32") return v.get<uint32_t>();
    if (kind == "$int64") return v.get<int64_t>();
    if (kind == "$float") return v.get<float>();
    if (kind == "$double") return v.get<double>();
    if (kind == "$timestamp") return Timestamp{v.get<uint64_t>()};
    if (kind == "$decimal") return Decimal{v[0], v[1]};
    if (kind == "$bytes") {
      std::string bytes;
      EXPECT_TRUE(absl::Base64Unescape(v.get<std::string>(), &bytes));
      return Bytes{bytes};
    }
    ADD_FAILURE() << "unknown value " << j;
  }
  return ToTable(j);
}

Table ToTable(const json& object) {
  Table table;
  for (const auto& [name, value] : object.items()) table[name] = ToValue(value);
  return table;
}

// A queue that keeps the bodies it gets.
struct BodyQueue : RouteTarget {
  std::vector<std::string> bodies;
};

class Replay {
 public:
  // Empty if the outcome is the recorded one, else what is wrong.
  std::string Play(const json& op, const json& observed) {
    const json outcome = Outcome(op);
    if (outcome.is_null()) return "";
    const int expected =
        observed.contains("error") ? observed["error"]["code"].get<int>() : 0;
    // RabbitMQ 4 gives 406 in place of 503 for unknown exchange types.
    const int wanted = expected == 503 ? 406 : expected;
    if (outcome["code"] != wanted) {
      return "code " + outcome["code"].dump() + ", not " +
             std::to_string(wanted);
    }
    if (!outcome.contains("bodies")) return "";
    json bodies = json::array();
    for (const json& message : observed["messages"]) {
      bodies.push_back(message["body"]);
    }
    return outcome["bodies"] == bodies
               ? ""
               : outcome["bodies"].dump() + ", not " + bodies.dump();
  }

 private:
  static std::string Text(const json& op, const char* field,
                          const char* absent = "") {
    return op.value(field, std::string(absent));
  }
  static bool Flag(const json& op, const char* field) {
    return op.value(field, false);
  }
  static json Code(const absl::Status& status) {
    return {{"code", status.ok() ? 0 : InfoOf(status).amqp_code}};
  }
  static BindingSpec Binding(const json& op, bool to_queue) {
    return {Text(op, to_queue ? "exchange" : "source"),
            to_queue ? DestinationKind::kQueue : DestinationKind::kExchange,
            Text(op, to_queue ? "queue" : "destination"),
            Text(op, "routing_key"),
            ToTable(op.value("arguments", json::object()))};
  }

  // Null: nothing that routing knows of.
  json Outcome(const json& op) {
    const std::string name = op["op"];
    if (name == "exchange.declare" || name == "inspect_exchange") {
      if (name == "inspect_exchange") return nullptr;
      ExchangeSpec spec;
      spec.name = Text(op, "exchange");
      spec.type = Text(op, "type", "direct");
      spec.durable = Flag(op, "durable");
      spec.auto_delete = Flag(op, "auto_delete");
      spec.internal = Flag(op, "internal");
      spec.arguments = ToTable(op.value("arguments", json::object()));
      return Code(router_.DeclareExchange(spec, Flag(op, "passive")).status());
    }
    if (name == "exchange.delete") {
      return Code(
          router_.DeleteExchange(Text(op, "exchange"), Flag(op, "if_unused"))
              .status());
    }
    if (name == "exchange.bind" || name == "queue.bind") {
      return Code(router_.Bind(Binding(op, name == "queue.bind")).status());
    }
    if (name == "exchange.unbind" || name == "queue.unbind") {
      return Code(router_.Unbind(Binding(op, name == "queue.unbind")).status());
    }
    if (name == "queue.declare") {
      auto& queue = queues_[Text(op, "queue")];
      if (queue == nullptr) {
        queue = std::make_shared<BodyQueue>();
        router_.AddQueue(Text(op, "queue"), queue);
      }
      return nullptr;
    }
    if (name == "queue.delete") {
      router_.RemoveQueue(Text(op, "queue"));
      queues_.erase(Text(op, "queue"));
      return nullptr;
    }
    if (name == "basic.publish") return Publish(op);
    if (name == "drain") {
      std::vector<std::string>& bodies = queues_[Text(op, "queue")]->bodies;
      return {{"code", 0}, {"bodies", std::exchange(bodies, {})}};
    }
    return nullptr;
  }

  json Publish(const json& op) {
    const json properties = op.value("properties", json::object());
    const std::string encoded = testing::EncodeHeaders(
        ToTable(properties.value("headers", json::object())));
    const auto facts = ScanMessage(encoded, MessageLimits());
    if (!facts.ok()) return Code(facts.status());
    Routes routes;
    const absl::Status status = router_.Route(
        *Message::Create(Text(op, "exchange"), Text(op, "routing_key"), encoded,
                         *facts),
        &routes);
    for (const auto& target : router_.Resolve(routes.targets)) {
      static_cast<BodyQueue&>(*target).bodies.push_back(Text(op, "body"));
    }
    return Code(status);
  }

  Router router_{"conf"};
  std::map<std::string, std::shared_ptr<BodyQueue>> queues_;
};

TEST(RecordedRouting, OutcomesAreThoseOfRabbitMq) {
  const std::map<std::string, int> features = {
      {"ae", 0},       {"binding", 0}, {"cc", 0},      {"e2e", 0},
      {"exchange", 0}, {"headers", 0}, {"routing", 0}, {"topic", 0}};
  std::map<std::string, int> played = features;
  std::ifstream file(KELPMQ_CONFORMANCE_CASES);
  ASSERT_TRUE(file) << KELPMQ_CONFORMANCE_CASES;
  for (std::string line; std::getline(file, line);) {
    const json record = json::parse(line);
    const auto feature = played.find(record["feature"].get<std::string>());
    if (feature == played.end()) continue;
    ++feature->second;
    Replay replay;
    for (size_t i = 0; i < record["ops"].size(); ++i) {
      const std::string wrong =
          replay.Play(record["ops"][i], record["observed"][i]);
      EXPECT_EQ(wrong, "") << record["id"] << " op " << i << ": "
                           << record["ops"][i];
    }
  }
  for (const auto& [feature, count] : played) EXPECT_GT(count, 0) << feature;
}

}  // namespace
}  // namespace kelpmq::service
