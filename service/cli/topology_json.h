#ifndef KELPMQ_SERVICE_CLI_TOPOLOGY_JSON_H_
#define KELPMQ_SERVICE_CLI_TOPOLOGY_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "kelpmq/v1/admin.pb.h"
#include "kelpmq/v1/topology.pb.h"

namespace kelpmq::service::cli {

// What a broker holds, as JSON with the API's field names. Fields that are
// facts (false, 0, "") are there too, so that programs need no defaults.
nlohmann::ordered_json JsonOf(const v1::Exchange& exchange);
nlohmann::ordered_json JsonOf(const v1::Queue& queue);
nlohmann::ordered_json JsonOf(const v1::Binding& binding);
nlohmann::ordered_json JsonOf(const v1::ConsumerInfo& consumer);
nlohmann::ordered_json JsonOf(const v1::Policy& policy);
nlohmann::ordered_json JsonOf(const v1::Vhost& vhost);
nlohmann::ordered_json JsonOf(const v1::User& user);
nlohmann::ordered_json JsonOf(const v1::Permission& permission);
nlohmann::ordered_json JsonOf(const v1::TopicPermission& permission);

// "queue" or "exchange".
absl::string_view NameOf(v1::DestinationType type);
// What a policy applies to, by the names of RabbitMQ's definitions.
using PolicyTargetNames = std::vector<std::pair<std::string, v1::PolicyTarget>>;
const PolicyTargetNames& PolicyTargets();
// "all", "queues", "classic_queues", ...
absl::string_view NameOf(v1::PolicyTarget target);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_TOPOLOGY_JSON_H_
