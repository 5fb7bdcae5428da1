#include "client/cpp/src/topology_client.h"

#include <iterator>
#include <utility>

#include "client/cpp/src/methods.h"

namespace kelpmq::client {
namespace {

using service::MutexLock;

constexpr int kPageSize = 1000;  // the most that the broker gives

// Bindings with the same fields under other names.
template <typename Request>
Request QueueBinding(const BindingSpec& spec, const std::string& vhost) {
  Request request;
  request.set_vhost(vhost);
  request.set_queue(spec.destination);
  request.set_exchange(spec.source);
  request.set_routing_key(spec.routing_key);
  *request.mutable_arguments() = spec.arguments;
  return request;
}

template <typename Request>
Request ExchangeBinding(const BindingSpec& spec, const std::string& vhost) {
  Request request;
  request.set_vhost(vhost);
  request.set_destination(spec.destination);
  request.set_source(spec.source);
  request.set_routing_key(spec.routing_key);
  *request.mutable_arguments() = spec.arguments;
  return request;
}

}  // namespace

template <typename Response>
absl::StatusOr<Response> TopologyClient::Call(
    const char* method, const google::protobuf::MessageLite& request) {
  Response response;
  absl::Status status =
      connection_->Call(TopologyMethod(method), request, &response);
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::Exchange> TopologyClient::DeclareExchange(
    const ExchangeSpec& spec) {
  v1::DeclareExchangeRequest request;
  request.set_vhost(vhost());
  request.set_name(spec.name);
  request.set_type(spec.type);
  request.set_durable(spec.durable);
  request.set_auto_delete(spec.auto_delete);
  request.set_internal(spec.internal);
  request.set_alternate_exchange(spec.alternate_exchange);
  *request.mutable_arguments() = spec.arguments;
  auto response = Call<v1::DeclareExchangeResponse>("DeclareExchange", request);
  if (!response.ok()) return response.status();
  if (spec.restore == Restore::kYes) {
    MutexLock lock(&mu_);
    record_.Declared(request);
  }
  return std::move(*response->mutable_exchange());
}

absl::StatusOr<v1::Queue> TopologyClient::DeclareQueue(const QueueSpec& spec) {
  v1::DeclareQueueRequest request;
  request.set_vhost(vhost());
  request.set_name(spec.name);
  request.set_durable(spec.durable);
  request.set_exclusive(spec.exclusive);
  request.set_auto_delete(spec.auto_delete);
  *request.mutable_options() = spec.options;
  *request.mutable_arguments() = spec.arguments;
  const v1::DeclareQueueRequest to_restore = request;  // by another session
  request.set_session_id(session_->id());
  if (spec.exclusive) {
    auto session = session_->Open();
    if (!session.ok()) return session.status();
    request.set_session_id(*session);
  }
  auto response = Call<v1::DeclareQueueResponse>("DeclareQueue", request);
  if (!response.ok()) return response.status();
  if (spec.restore == Restore::kYes) {
    MutexLock lock(&mu_);
    record_.Declared(to_restore, response->queue().name());
  }
  return std::move(*response->mutable_queue());
}

absl::Status TopologyClient::BindQueue(const BindingSpec& spec) {
  auto request = QueueBinding<v1::BindQueueRequest>(spec, vhost());
  const v1::BindQueueRequest to_restore = request;
  request.set_session_id(session_->id());
  const auto response = Call<v1::BindQueueResponse>("BindQueue", request);
  if (response.ok() && spec.restore == Restore::kYes) {
    MutexLock lock(&mu_);
    record_.Bound(to_restore);
  }
  return response.status();
}

absl::Status TopologyClient::BindExchange(const BindingSpec& spec) {
  const auto request = ExchangeBinding<v1::BindExchangeRequest>(spec, vhost());
  const auto response = Call<v1::BindExchangeResponse>("BindExchange", request);
  if (response.ok() && spec.restore == Restore::kYes) {
    MutexLock lock(&mu_);
    record_.Bound(request);
  }
  return response.status();
}

absl::Status TopologyClient::DeleteExchange(const std::string& name,
                                            IfUnused if_unused) {
  v1::DeleteExchangeRequest request;
  request.set_vhost(vhost());
  request.set_name(name);
  request.set_if_unused(if_unused == IfUnused::kYes);
  const auto response =
      Call<v1::DeleteExchangeResponse>("DeleteExchange", request);
  if (response.ok()) {
    MutexLock lock(&mu_);
    record_.DeletedExchange(name);
  }
  return response.status();
}

absl::StatusOr<uint64_t> TopologyClient::DeleteQueue(const std::string& name,
                                                     IfUnused if_unused,
                                                     IfEmpty if_empty) {
  v1::DeleteQueueRequest request;
  request.set_vhost(vhost());
  request.set_session_id(session_->id());
  request.set_name(name);
  request.set_if_unused(if_unused == IfUnused::kYes);
  request.set_if_empty(if_empty == IfEmpty::kYes);
  const auto response = Call<v1::DeleteQueueResponse>("DeleteQueue", request);
  if (!response.ok()) return response.status();
  MutexLock lock(&mu_);
  record_.DeletedQueue(name);
  return response->message_count();
}

absl::Status TopologyClient::UnbindQueue(const BindingSpec& spec) {
  auto request = QueueBinding<v1::UnbindQueueRequest>(spec, vhost());
  request.set_session_id(session_->id());
  const auto response = Call<v1::UnbindQueueResponse>("UnbindQueue", request);
  if (response.ok()) {
    MutexLock lock(&mu_);
    record_.Unbound(QueueBinding<v1::BindQueueRequest>(spec, vhost()));
  }
  return response.status();
}

absl::Status TopologyClient::UnbindExchange(const BindingSpec& spec) {
  const auto request =
      ExchangeBinding<v1::UnbindExchangeRequest>(spec, vhost());
  const auto response =
      Call<v1::UnbindExchangeResponse>("UnbindExchange", request);
  if (response.ok()) {
    MutexLock lock(&mu_);
    record_.Unbound(ExchangeBinding<v1::BindExchangeRequest>(spec, vhost()));
  }
  return response.status();
}

absl::StatusOr<uint64_t> TopologyClient::PurgeQueue(const std::string& name) {
  v1::PurgeQueueRequest request;
  request.set_vhost(vhost());
  request.set_session_id(session_->id());
  request.set_name(name);
  const auto response = Call<v1::PurgeQueueResponse>("PurgeQueue", request);
  if (!response.ok()) return response.status();
  return response->message_count();
}

absl::StatusOr<v1::Exchange> TopologyClient::GetExchange(
    const std::string& name) {
  v1::GetExchangeRequest request;
  request.set_vhost(vhost());
  request.set_name(name);
  auto response = Call<v1::GetExchangeResponse>("GetExchange", request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_exchange());
}

absl::StatusOr<v1::Queue> TopologyClient::GetQueue(const std::string& name) {
  v1::GetQueueRequest request;
  request.set_vhost(vhost());
  request.set_name(name);
  auto response = Call<v1::GetQueueResponse>("GetQueue", request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_queue());
}

template <typename Response, typename Request, typename Item>
absl::StatusOr<std::vector<Item>> TopologyClient::List(
    const char* method, Request request,
    google::protobuf::RepeatedPtrField<Item>* (Response::*items)()) {
  request.set_vhost(vhost());
  request.set_page_size(kPageSize);
  std::vector<Item> all;
  do {
    auto page = Call<Response>(method, request);
    if (!page.ok()) return page.status();
    auto* const found = ((*page).*items)();
    std::move(found->begin(), found->end(), std::back_inserter(all));
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<std::vector<v1::Exchange>> TopologyClient::ListExchanges(
    const std::string& name_prefix) {
  v1::ListExchangesRequest request;
  request.set_name_prefix(name_prefix);
  return List("ListExchanges", std::move(request),
              &v1::ListExchangesResponse::mutable_exchanges);
}

absl::StatusOr<std::vector<v1::Queue>> TopologyClient::ListQueues(
    const std::string& name_prefix) {
  v1::ListQueuesRequest request;
  request.set_name_prefix(name_prefix);
  return List("ListQueues", std::move(request),
              &v1::ListQueuesResponse::mutable_queues);
}

absl::StatusOr<std::vector<v1::Binding>> TopologyClient::ListBindings(
    const BindingFilter& filter) {
  v1::ListBindingsRequest request;
  if (filter.source.has_value()) request.set_source(*filter.source);
  if (filter.destination.has_value()) {
    request.set_destination(*filter.destination);
  }
  request.set_destination_type(filter.destination_type);
  return List("ListBindings", std::move(request),
              &v1::ListBindingsResponse::mutable_bindings);
}

absl::StatusOr<std::vector<v1::ConsumerInfo>> TopologyClient::ListConsumers(
    const std::string& queue) {
  v1::ListConsumersRequest request;
  request.set_queue(queue);
  return List("ListConsumers", std::move(request),
              &v1::ListConsumersResponse::mutable_consumers);
}

std::vector<TopologyRecord::Step> TopologyClient::StepsToRestore() const {
  MutexLock lock(&mu_);
  return record_.Steps();
}

void TopologyClient::Renamed(const std::string& from, const std::string& to) {
  MutexLock lock(&mu_);
  record_.Renamed(from, to);
}

std::string TopologyClient::CurrentName(const std::string& queue) const {
  MutexLock lock(&mu_);
  return record_.CurrentName(queue);
}

}  // namespace kelpmq::client
