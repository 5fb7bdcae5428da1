#include "service/cli/topology_json.h"

#include "service/cli/value_json.h"

namespace kelpmq::service::cli {

using Json = nlohmann::ordered_json;

absl::string_view NameOf(v1::DestinationType type) {
  return type == v1::DESTINATION_TYPE_EXCHANGE ? "exchange" : "queue";
}

const PolicyTargetNames& PolicyTargets() {
  static const auto* const targets = new PolicyTargetNames{
      {"all", v1::POLICY_TARGET_ALL},
      {"queues", v1::POLICY_TARGET_QUEUES},
      {"exchanges", v1::POLICY_TARGET_EXCHANGES},
      {"classic_queues", v1::POLICY_TARGET_CLASSIC_QUEUES},
      {"quorum_queues", v1::POLICY_TARGET_QUORUM_QUEUES},
      {"streams", v1::POLICY_TARGET_STREAMS}};
  return *targets;
}

absl::string_view NameOf(v1::PolicyTarget target) {
  for (const auto& [name, known] : PolicyTargets()) {
    if (known == target) return name;
  }
  return "all";
}

Json JsonOf(const v1::Exchange& exchange) {
  Json json;
  json["vhost"] = exchange.vhost();
  json["name"] = exchange.name();
  json["type"] = exchange.type();
  json["durable"] = exchange.durable();
  json["auto_delete"] = exchange.auto_delete();
  json["internal"] = exchange.internal();
  if (!exchange.alternate_exchange().empty()) {
    json["alternate_exchange"] = exchange.alternate_exchange();
  }
  json["arguments"] = JsonOf(exchange.arguments());
  return json;
}

Json JsonOf(const v1::Queue& queue) {
  Json json;
  json["vhost"] = queue.vhost();
  json["name"] = queue.name();
  json["durable"] = queue.durable();
  json["exclusive"] = queue.exclusive();
  json["auto_delete"] = queue.auto_delete();
  // The typed options repeat these, so they are left out.
  json["arguments"] = JsonOf(queue.arguments());
  json["messages_ready"] = queue.messages_ready();
  json["messages_unacked"] = queue.messages_unacked();
  json["consumer_count"] = queue.consumer_count();
  json["message_bytes"] = queue.message_bytes();
  if (!queue.owner_client().empty()) {
    json["owner_client"] = queue.owner_client();
  }
  return json;
}

Json JsonOf(const v1::Binding& binding) {
  Json json;
  json["vhost"] = binding.vhost();
  json["source"] = binding.source();
  json["destination"] = binding.destination();
  json["destination_type"] = NameOf(binding.destination_type());
  json["routing_key"] = binding.routing_key();
  json["arguments"] = JsonOf(binding.arguments());
  json["properties_key"] = binding.properties_key();
  return json;
}

Json JsonOf(const v1::ConsumerInfo& consumer) {
  Json json;
  json["vhost"] = consumer.vhost();
  json["queue"] = consumer.queue();
  json["consumer_tag"] = consumer.consumer_tag();
  json["auto_ack"] = consumer.auto_ack();
  json["exclusive"] = consumer.exclusive();
  json["prefetch_count"] = consumer.prefetch_count();
  json["unacked_count"] = consumer.unacked_count();
  json["active"] = consumer.active();
  json["priority"] = consumer.priority();
  json["arguments"] = JsonOf(consumer.arguments());
  json["client_name"] = consumer.client_name();
  json["peer"] = consumer.peer();
  return json;
}

Json JsonOf(const v1::Policy& policy) {
  Json json;
  json["vhost"] = policy.vhost();
  json["name"] = policy.name();
  json["pattern"] = policy.pattern();
  json["apply_to"] = NameOf(policy.apply_to());
  json["priority"] = policy.priority();
  json["definition"] = JsonOf(policy.definition());
  return json;
}

Json JsonOf(const v1::Vhost& vhost) {
  Json json;
  json["name"] = vhost.name();
  json["description"] = vhost.description();
  json["tags"] = Json::array();
  for (const std::string& tag : vhost.tags()) json["tags"].push_back(tag);
  if (!vhost.default_queue_type().empty()) {
    json["default_queue_type"] = vhost.default_queue_type();
  }
  if (vhost.has_max_queues()) json["max_queues"] = vhost.max_queues();
  if (vhost.has_max_connections()) {
    json["max_connections"] = vhost.max_connections();
  }
  return json;
}

Json JsonOf(const v1::User& user) {
  Json json;
  json["name"] = user.name();
  json["tags"] = Json::array();
  for (const std::string& tag : user.tags()) json["tags"].push_back(tag);
  return json;
}

Json JsonOf(const v1::Permission& permission) {
  Json json;
  json["vhost"] = permission.vhost();
  json["user"] = permission.user();
  json["configure"] = permission.configure();
  json["write"] = permission.write();
  json["read"] = permission.read();
  return json;
}

Json JsonOf(const v1::TopicPermission& permission) {
  Json json;
  json["vhost"] = permission.vhost();
  json["user"] = permission.user();
  json["exchange"] = permission.exchange();
  json["write"] = permission.write();
  json["read"] = permission.read();
  return json;
}

}  // namespace kelpmq::service::cli
