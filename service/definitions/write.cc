// Writing definitions.

#include <utility>

#include "service/definitions/definitions.h"
#include "service/definitions/json_fields.h"
#include "service/definitions/policy_target_names.h"

namespace kelpmq::service {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<std::string>& texts) {
  Json array = Json::array();
  for (const std::string& text : texts) array.push_back(text);
  return array;
}

Json ToJson(const User& user) {
  return {{"name", user.name},
          {"password_hash", user.password.text()},
          {"hashing_algorithm", std::string(user.password.algorithm())},
          {"tags", ToJson(user.tags)},
          {"limits", Json::object()}};
}

Json ToJson(const VhostInfo& vhost) {
  Json json = {
      {"name", vhost.name},
      {"description", vhost.description},
      {"tags", ToJson(vhost.tags)},
      {"metadata",
       {{"description", vhost.description}, {"tags", ToJson(vhost.tags)}}}};
  if (!vhost.default_queue_type.empty()) {
    json["default_queue_type"] = vhost.default_queue_type;
    json["metadata"]["default_queue_type"] = vhost.default_queue_type;
  }
  return json;
}

Json ToJson(const PermissionSet& set) {
  return {{"user", set.user},
          {"vhost", set.vhost},
          {"configure", set.configure},
          {"write", set.write},
          {"read", set.read}};
}

Json ToJson(const TopicPermissionSet& set) {
  return {{"user", set.user},
          {"vhost", set.vhost},
          {"exchange", set.exchange},
          {"write", set.write},
          {"read", set.read}};
}

Json ToJson(const PolicyInfo& policy) {
  return {{"vhost", policy.vhost},
          {"name", policy.name},
          {"pattern", policy.pattern},
          {"apply-to", std::string(NameOf(policy.apply_to))},
          {"definition", ToJson(policy.definition)},
          {"priority", policy.priority}};
}

Json ToJson(const InVhost<ExchangeSpec>& exchange) {
  return {{"name", exchange.spec.name},
          {"vhost", exchange.vhost},
          {"type", exchange.spec.type},
          {"durable", exchange.spec.durable},
          {"auto_delete", exchange.spec.auto_delete},
          {"internal", exchange.spec.internal},
          {"arguments", ToJson(exchange.spec.arguments)}};
}

// RabbitMQ writes it beside the arguments, too.
std::string TypeOf(const QueueSpec& queue) {
  auto it = queue.arguments.find("x-queue-type");
  if (it == queue.arguments.end()) return "classic";
  return std::string(StringOf(it->second).value_or("classic"));
}

Json ToJson(const InVhost<QueueSpec>& queue) {
  return {{"name", queue.spec.name},
          {"vhost", queue.vhost},
          {"durable", queue.spec.durable},
          {"auto_delete", queue.spec.auto_delete},
          {"type", TypeOf(queue.spec)},
          {"arguments", ToJson(queue.spec.arguments)}};
}

Json ToJson(const InVhost<BindingSpec>& binding) {
  const bool to_queue = binding.spec.kind == DestinationKind::kQueue;
  return {{"source", binding.spec.source},
          {"vhost", binding.vhost},
          {"destination", binding.spec.destination},
          {"destination_type", to_queue ? "queue" : "exchange"},
          {"routing_key", binding.spec.routing_key},
          {"arguments", ToJson(binding.spec.arguments)}};
}

template <typename Item>
Json ToArray(const std::vector<Item>& items, bool one_vhost) {
  Json array = Json::array();
  for (const Item& item : items) {
    Json json = ToJson(item);
    if (one_vhost) json.erase("vhost");
    array.push_back(std::move(json));
  }
  return array;
}

// Those of vhosts that have any.
void AddLimits(const std::vector<VhostInfo>& vhosts, bool one_vhost,
               Json* parameters) {
  for (const VhostInfo& vhost : vhosts) {
    Json limits = Json::object();
    if (vhost.max_queues.has_value()) limits["max-queues"] = *vhost.max_queues;
    if (vhost.max_connections.has_value()) {
      limits["max-connections"] = *vhost.max_connections;
    }
    if (limits.empty()) continue;
    Json parameter = {{"component", "vhost-limits"},
                      {"name", "limits"},
                      {"value", std::move(limits)},
                      {"vhost", vhost.name}};
    if (one_vhost) parameter.erase("vhost");
    parameters->push_back(std::move(parameter));
  }
}

}  // namespace

std::string WriteDefinitions(const Definitions& definitions, bool one_vhost) {
  Json document = Json::object();
  document["product_name"] = "KelpMQ";
  if (!one_vhost) {
    document["users"] = ToArray(definitions.users, false);
    document["vhosts"] = ToArray(definitions.vhosts, false);
    document["permissions"] = ToArray(definitions.permissions, false);
    document["topic_permissions"] =
        ToArray(definitions.topic_permissions, false);
  }
  Json parameters = definitions.kept.value("parameters", Json::array());
  AddLimits(definitions.vhosts, one_vhost, &parameters);
  document["parameters"] = std::move(parameters);
  for (const auto& [key, section] : definitions.kept.items()) {
    if (!document.contains(key)) document[key] = section;
  }
  document["policies"] = ToArray(definitions.policies, one_vhost);
  document["exchanges"] = ToArray(definitions.exchanges, one_vhost);
  document["queues"] = ToArray(definitions.queues, one_vhost);
  document["bindings"] = ToArray(definitions.bindings, one_vhost);
  return document.dump(/*indent=*/2, ' ', /*ensure_ascii=*/false,
                       Json::error_handler_t::replace) +
         "\n";
}

}  // namespace kelpmq::service
