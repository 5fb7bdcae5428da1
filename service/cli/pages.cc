#include "service/cli/pages.h"

namespace kelpmq::service::cli {
namespace {

constexpr int kPageSize = 1000;  // the largest that the API allows

//   items: the page's repeated field, as &Response::queues.
template <typename Stub, typename Request, typename Response, typename Item>
absl::StatusOr<std::vector<Item>> FetchPages(
    Connection* connection, Stub* stub,
    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                 Response*),
    Request request,
    const google::protobuf::RepeatedPtrField<Item>& (Response::*items)()
        const) {
  std::vector<Item> all;
  request.set_page_size(kPageSize);
  for (;;) {
    Response response;
    const absl::Status status =
        connection->Call(stub, method, request, &response);
    if (!status.ok()) return status;
    const auto& page = (response.*items)();
    all.insert(all.end(), page.begin(), page.end());
    if (response.next_page_token().empty()) return all;
    request.set_page_token(response.next_page_token());
  }
}

using Topology = v1::TopologyService::Stub;

}  // namespace

absl::StatusOr<std::vector<v1::Exchange>> FetchExchanges(
    Connection* connection, const v1::ListExchangesRequest& request) {
  return FetchPages(connection, connection->topology(),
                    &Topology::ListExchanges, request,
                    &v1::ListExchangesResponse::exchanges);
}

absl::StatusOr<std::vector<v1::Queue>> FetchQueues(
    Connection* connection, const v1::ListQueuesRequest& request) {
  return FetchPages(connection, connection->topology(), &Topology::ListQueues,
                    request, &v1::ListQueuesResponse::queues);
}

absl::StatusOr<std::vector<v1::Binding>> FetchBindings(
    Connection* connection, const v1::ListBindingsRequest& request) {
  return FetchPages(connection, connection->topology(), &Topology::ListBindings,
                    request, &v1::ListBindingsResponse::bindings);
}

absl::StatusOr<std::vector<v1::ConsumerInfo>> FetchConsumers(
    Connection* connection, const v1::ListConsumersRequest& request) {
  return FetchPages(connection, connection->topology(),
                    &Topology::ListConsumers, request,
                    &v1::ListConsumersResponse::consumers);
}

absl::StatusOr<std::vector<v1::Policy>> FetchPolicies(
    Connection* connection, const v1::ListPoliciesRequest& request) {
  return FetchPages(connection, connection->admin(),
                    &v1::AdminService::Stub::ListPolicies, request,
                    &v1::ListPoliciesResponse::policies);
}

absl::StatusOr<std::vector<v1::Vhost>> FetchVhosts(Connection* connection) {
  return FetchPages(connection, connection->admin(),
                    &v1::AdminService::Stub::ListVhosts,
                    v1::ListVhostsRequest(), &v1::ListVhostsResponse::vhosts);
}

absl::StatusOr<std::vector<v1::User>> FetchUsers(Connection* connection) {
  return FetchPages(connection, connection->admin(),
                    &v1::AdminService::Stub::ListUsers, v1::ListUsersRequest(),
                    &v1::ListUsersResponse::users);
}

absl::StatusOr<std::vector<v1::Permission>> FetchPermissions(
    Connection* connection, const v1::ListPermissionsRequest& request) {
  return FetchPages(connection, connection->admin(),
                    &v1::AdminService::Stub::ListPermissions, request,
                    &v1::ListPermissionsResponse::permissions);
}

absl::StatusOr<std::vector<v1::TopicPermission>> FetchTopicPermissions(
    Connection* connection, const v1::ListTopicPermissionsRequest& request) {
  return FetchPages(connection, connection->admin(),
                    &v1::AdminService::Stub::ListTopicPermissions, request,
                    &v1::ListTopicPermissionsResponse::permissions);
}

}  // namespace kelpmq::service::cli
