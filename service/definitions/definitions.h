#ifndef KELPMQ_SERVICE_DEFINITIONS_DEFINITIONS_H_
#define KELPMQ_SERVICE_DEFINITIONS_DEFINITIONS_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/auth/user.h"
#include "service/base/types.h"

namespace kelpmq::service {

// Something that a vhost holds.
template <typename Spec>
struct InVhost {
  std::string vhost;
  Spec spec;
};

// RabbitMQ's definitions document, as far as it means something here.
struct Definitions {
  std::vector<VhostInfo> vhosts;
  std::vector<User> users;
  std::vector<PermissionSet> permissions;
  std::vector<TopicPermissionSet> topic_permissions;
  // Not RabbitMQ's; in a users file alone.
  std::vector<Token> tokens;
  std::vector<PolicyInfo> policies;
  std::vector<InVhost<ExchangeSpec>> exchanges;
  std::vector<InVhost<QueueSpec>> queues;
  std::vector<InVhost<BindingSpec>> bindings;
  // Sections that are kept and written out again, but not applied; by name.
  nlohmann::ordered_json kept = nlohmann::ordered_json::object();
};

// Reads a document. With `vhost`, it is one of a single vhost, whose things
// name none, or are all taken to be in this one.
//   INVALID_VALUE: no JSON, or something in it is not of the form that it
//   should have; the text says where
absl::StatusOr<Definitions> ParseDefinitions(
    absl::string_view json, const std::optional<std::string>& vhost);

// The document, indented, with a newline at its end. With `one_vhost`, as
// RabbitMQ writes a single vhost: no users, and nothing names its vhost.
std::string WriteDefinitions(const Definitions& definitions, bool one_vhost);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_DEFINITIONS_DEFINITIONS_H_
