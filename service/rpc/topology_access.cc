#include "service/rpc/topology_access.h"

#include <optional>

#include "service/base/random_name.h"
#include "service/base/value.h"

namespace kelpmq::service {
namespace {

using Permission = VhostAccess::Permission;
using Resource = VhostAccess::Resource;

constexpr absl::string_view kAlternateExchange = "alternate-exchange";
constexpr absl::string_view kDeadLetterExchange = "x-dead-letter-exchange";
constexpr absl::string_view kTopic = "topic";

// A string among the arguments. One of another type the engine refuses.
std::optional<std::string> StringArgument(const Table& arguments,
                                          absl::string_view name) {
  auto it = arguments.find(name);
  if (it == arguments.end()) return std::nullopt;
  const auto text = StringOf(it->second);
  if (!text.has_value()) return std::nullopt;
  return std::string(*text);
}

// Reads from `resource` to write what was read to `exchange`.
absl::Status CheckForwarding(Resource resource, const std::string& name,
                             const std::string& exchange, VhostAccess* access) {
  absl::Status read = access->Check(Permission::kRead, resource, name);
  if (!read.ok()) return read;
  return access->Check(Permission::kWrite, Resource::kExchange, exchange);
}

absl::Status CheckNewQueue(const std::string& name, const Table& arguments,
                           VhostAccess* access) {
  const auto exchange = StringArgument(arguments, kDeadLetterExchange);
  if (!exchange.has_value()) return absl::OkStatus();
  return CheckForwarding(Resource::kQueue, name, *exchange, access);
}

}  // namespace

absl::Status CheckDeclareExchange(const Engine& engine,
                                  const DeclareExchangeParams& params,
                                  VhostAccess* access) {
  const std::string& name = params.spec.name;
  if (params.passive || name.empty()) return absl::OkStatus();
  absl::Status allowed =
      access->Check(Permission::kConfigure, Resource::kExchange, name);
  if (!allowed.ok()) return allowed;
  const auto alternate =
      StringArgument(params.spec.arguments, kAlternateExchange);
  if (!alternate.has_value()) return absl::OkStatus();
  allowed = CheckForwarding(Resource::kExchange, name, *alternate, access);
  // Of an exchange that is there nothing is changed.
  if (!allowed.ok() && engine.FindExchangeType(params.vhost, name).ok()) {
    return absl::OkStatus();
  }
  return allowed;
}

absl::Status CheckDeleteExchange(const std::string& name, VhostAccess* access) {
  if (name.empty()) return absl::OkStatus();
  return access->Check(Permission::kConfigure, Resource::kExchange, name);
}

absl::Status CheckDeclareQueue(const Engine& engine, DeclareQueueParams* params,
                               VhostAccess* access) {
  if (params->passive) return absl::OkStatus();
  if (params->spec.name.empty()) {
    params->server_name = MakeServerName(kServerQueuePrefix);
  }
  const std::string& name =
      params->spec.name.empty() ? params->server_name : params->spec.name;
  absl::Status allowed =
      access->Check(Permission::kConfigure, Resource::kQueue, name);
  if (!allowed.ok()) return allowed;
  allowed = CheckNewQueue(name, params->spec.arguments, access);
  if (!allowed.ok() && engine.HasQueue(params->vhost, name)) {
    return absl::OkStatus();
  }
  return allowed;
}

absl::Status CheckBind(const Engine& engine, const std::string& vhost,
                       const BindingSpec& binding, VhostAccess* access) {
  const Resource destination = binding.kind == DestinationKind::kQueue
                                   ? Resource::kQueue
                                   : Resource::kExchange;
  absl::Status allowed =
      access->Check(Permission::kWrite, destination, binding.destination);
  if (!allowed.ok()) return allowed;
  allowed =
      access->Check(Permission::kRead, Resource::kExchange, binding.source);
  if (!allowed.ok()) return allowed;
  if (!access->HasTopicRule(binding.source)) return absl::OkStatus();
  const absl::StatusOr<std::string> type =
      engine.FindExchangeType(vhost, binding.source);
  if (!type.ok() || *type != kTopic) return absl::OkStatus();
  return access->CheckTopic(Permission::kRead, binding.source,
                            binding.routing_key);
}

absl::Status CheckConsume(const Engine& engine, ConsumeParams* params,
                          VhostAccess* access) {
  if (!params->temporary_queue) {
    return access->Check(Permission::kRead, Resource::kQueue, params->queue);
  }
  params->server_name = MakeServerName(kServerQueuePrefix);
  const std::string& name = params->server_name;
  absl::Status allowed =
      access->Check(Permission::kConfigure, Resource::kQueue, name);
  if (!allowed.ok()) return allowed;
  allowed = CheckNewQueue(name, params->queue_arguments, access);
  if (!allowed.ok()) return allowed;
  for (const TemporaryBinding& binding : params->bindings) {
    BindingSpec spec;
    spec.source = binding.exchange;
    spec.kind = DestinationKind::kQueue;
    spec.destination = name;
    spec.routing_key = binding.routing_key;
    allowed = CheckBind(engine, params->vhost, spec, access);
    if (!allowed.ok()) return allowed;
  }
  return access->Check(Permission::kRead, Resource::kQueue, name);
}

}  // namespace kelpmq::service
