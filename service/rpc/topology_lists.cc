// The List RPCs of TopologyService.

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/paging.h"
#include "service/rpc/topology_service.h"

namespace kelpmq::service {
namespace {

// What all lists begin with: the page of `scope` that the request asks for.
template <typename Request>
absl::StatusOr<ListParams> MakeListParams(const Request& request,
                                          const std::string& vhost,
                                          const PageScope& scope) {
  auto page = scope.Read(request.page_size(), request.page_token());
  if (!page.ok()) return std::move(page).status();
  ListParams params;
  params.vhost = vhost;
  params.after = std::move(page->after);
  params.limit = page->limit;
  return params;
}

// Replies with a page, whose items `add` puts into the response.
template <typename Item, typename Response, typename AddItem>
Done<Page<Item>> ReplyWithPage(const PageScope& scope, Reply<Response> reply,
                               AddItem add) {
  return [scope, reply = std::move(reply),
          add = std::move(add)](absl::StatusOr<Page<Item>> page) mutable {
    if (!page.ok()) return reply(std::move(page).status());
    Response response;
    for (const Item& item : page->items) add(item, &response);
    response.set_next_page_token(scope.NextToken(page->next));
    reply(std::move(response));
  };
}

absl::StatusOr<std::optional<DestinationKind>> ToKind(
    v1::DestinationType type) {
  switch (type) {
    case v1::DESTINATION_TYPE_UNSPECIFIED:
      return std::nullopt;
    case v1::DESTINATION_TYPE_QUEUE:
      return DestinationKind::kQueue;
    case v1::DESTINATION_TYPE_EXCHANGE:
      return DestinationKind::kExchange;
    default:
      return MakeError(Reason::kInvalidValue,
                       absl::StrCat("unknown destination_type ", type),
                       {{"argument", "destination_type"}});
  }
}

}  // namespace

void TopologyService::ListExchanges(const LoginRef& login,
                                    v1::ListExchangesRequest request,
                                    Reply<v1::ListExchangesResponse> reply) {
  auto caller = CallerOf(login, request.vhost());
  if (!caller.ok()) return reply(std::move(caller).status());
  const std::string& vhost = caller->vhost;
  const PageScope scope("ListExchanges", {vhost, request.name_prefix()});
  auto params = MakeListParams(request, vhost, scope);
  if (!params.ok()) return reply(std::move(params).status());
  params->name_prefix = request.name_prefix();
  engine_->ListExchanges(
      *std::move(params),
      ReplyWithPage<ExchangeInfo>(
          scope, std::move(reply),
          [vhost](const ExchangeInfo& info, v1::ListExchangesResponse* to) {
            *to->add_exchanges() = FromExchange(vhost, info);
          }));
}

void TopologyService::ListQueues(const LoginRef& login,
                                 v1::ListQueuesRequest request,
                                 Reply<v1::ListQueuesResponse> reply) {
  auto caller = CallerOf(login, request.vhost());
  if (!caller.ok()) return reply(std::move(caller).status());
  const std::string& vhost = caller->vhost;
  const PageScope scope("ListQueues", {vhost, request.name_prefix()});
  auto params = MakeListParams(request, vhost, scope);
  if (!params.ok()) return reply(std::move(params).status());
  params->name_prefix = request.name_prefix();
  engine_->ListQueues(
      *std::move(params),
      ReplyWithPage<QueueInfo>(
          scope, std::move(reply),
          [this, vhost](const QueueInfo& info, v1::ListQueuesResponse* to) {
            *to->add_queues() = Convert(vhost, info);
          }));
}

void TopologyService::ListBindings(const LoginRef& login,
                                   v1::ListBindingsRequest request,
                                   Reply<v1::ListBindingsResponse> reply) {
  auto caller = CallerOf(login, request.vhost());
  if (!caller.ok()) return reply(std::move(caller).status());
  auto kind = ToKind(request.destination_type());
  if (!kind.ok()) return reply(std::move(kind).status());
  const std::string& vhost = caller->vhost;
  const PageScope scope(
      "ListBindings",
      {vhost, request.has_source() ? "s" : "", request.source(),
       request.has_destination() ? "d" : "", request.destination(),
       absl::StrCat(request.destination_type())});
  auto params = MakeListParams(request, vhost, scope);
  if (!params.ok()) return reply(std::move(params).status());
  if (request.has_source()) params->source = request.source();
  if (request.has_destination()) params->destination = request.destination();
  params->kind = *kind;
  engine_->ListBindings(
      *std::move(params),
      ReplyWithPage<BindingSpec>(
          scope, std::move(reply),
          [vhost](const BindingSpec& binding, v1::ListBindingsResponse* to) {
            *to->add_bindings() = FromBinding(vhost, binding);
          }));
}

void TopologyService::ListConsumers(const LoginRef& login,
                                    v1::ListConsumersRequest request,
                                    Reply<v1::ListConsumersResponse> reply) {
  auto caller = CallerOf(login, request.vhost());
  if (!caller.ok()) return reply(std::move(caller).status());
  const std::string& vhost = caller->vhost;
  const PageScope scope("ListConsumers", {vhost, request.queue()});
  auto params = MakeListParams(request, vhost, scope);
  if (!params.ok()) return reply(std::move(params).status());
  params->queue = request.queue();
  engine_->ListConsumers(
      *std::move(params),
      ReplyWithPage<ConsumerInfo>(
          scope, std::move(reply),
          [vhost](const ConsumerInfo& info, v1::ListConsumersResponse* to) {
            *to->add_consumers() = FromConsumer(vhost, info);
          }));
}

}  // namespace kelpmq::service
