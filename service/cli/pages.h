#ifndef KELPMQ_SERVICE_CLI_PAGES_H_
#define KELPMQ_SERVICE_CLI_PAGES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "service/cli/connection.h"

namespace kelpmq::service::cli {

// What a broker holds: each calls its List RPC until there is no further page.
absl::StatusOr<std::vector<v1::Exchange>> FetchExchanges(
    Connection* connection, const v1::ListExchangesRequest& request);
absl::StatusOr<std::vector<v1::Queue>> FetchQueues(
    Connection* connection, const v1::ListQueuesRequest& request);
absl::StatusOr<std::vector<v1::Binding>> FetchBindings(
    Connection* connection, const v1::ListBindingsRequest& request);
absl::StatusOr<std::vector<v1::ConsumerInfo>> FetchConsumers(
    Connection* connection, const v1::ListConsumersRequest& request);
absl::StatusOr<std::vector<v1::Policy>> FetchPolicies(
    Connection* connection, const v1::ListPoliciesRequest& request);
absl::StatusOr<std::vector<v1::Vhost>> FetchVhosts(Connection* connection);
absl::StatusOr<std::vector<v1::User>> FetchUsers(Connection* connection);
absl::StatusOr<std::vector<v1::Permission>> FetchPermissions(
    Connection* connection, const v1::ListPermissionsRequest& request);
absl::StatusOr<std::vector<v1::TopicPermission>> FetchTopicPermissions(
    Connection* connection, const v1::ListTopicPermissionsRequest& request);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_PAGES_H_
