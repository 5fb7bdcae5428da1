#include "service/rpc/topology_service.h"

#include <functional>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/topology_access.h"

namespace kelpmq::service {

template <typename Request, typename Response>
void TopologyService::Add(MethodTable* table, absl::string_view rpc,
                          void (TopologyService::*method)(const LoginRef&,
                                                          Request,
                                                          Reply<Response>)) {
  AddUnary<Request, Response>(
      table, absl::StrCat("/kelpmq.v1.TopologyService/", rpc),
      MethodTable::WhileDraining::kAllow,
      [this, method](CallContext context, Request request,
                     Reply<Response> reply) {
        (this->*method)(context.login, std::move(request), std::move(reply));
      });
}

void TopologyService::Register(MethodTable* table) {
  Add(table, "DeclareExchange", &TopologyService::DeclareExchange);
  Add(table, "DeleteExchange", &TopologyService::DeleteExchange);
  Add(table, "DeclareQueue", &TopologyService::DeclareQueue);
  Add(table, "DeleteQueue", &TopologyService::DeleteQueue);
  Add(table, "PurgeQueue", &TopologyService::PurgeQueue);
  Add(table, "BindQueue", &TopologyService::BindQueue);
  Add(table, "UnbindQueue", &TopologyService::UnbindQueue);
  Add(table, "BindExchange", &TopologyService::BindExchange);
  Add(table, "UnbindExchange", &TopologyService::UnbindExchange);
  Add(table, "GetExchange", &TopologyService::GetExchange);
  Add(table, "GetQueue", &TopologyService::GetQueue);
  Add(table, "ListExchanges", &TopologyService::ListExchanges);
  Add(table, "ListQueues", &TopologyService::ListQueues);
  Add(table, "ListBindings", &TopologyService::ListBindings);
  Add(table, "ListConsumers", &TopologyService::ListConsumers);
}

// ---- Exchanges ----

void TopologyService::DeclareExchange(
    const LoginRef& login, v1::DeclareExchangeRequest request,
    Reply<v1::DeclareExchangeResponse> reply) {
  auto caller = CallerOf(login, request.vhost());
  if (!caller.ok()) return reply(std::move(caller).status());
  auto spec = ToExchangeSpec(request);
  if (!spec.ok()) return reply(std::move(spec).status());
  DeclareExchangeParams params;
  params.vhost = caller->vhost;
  params.spec = *std::move(spec);
  params.passive = request.passive();
  absl::Status allowed =
      CheckDeclareExchange(*engine_, params, &caller->access);
  if (!allowed.ok()) return reply(std::move(allowed));
  engine_->DeclareExchange(
      std::move(params),
      [vhost = caller->vhost, reply = std::move(reply)](
          absl::StatusOr<DeclareExchangeResult> result) mutable {
        if (!result.ok()) return reply(std::move(result).status());
        v1::DeclareExchangeResponse response;
        *response.mutable_exchange() = FromExchange(vhost, result->exchange);
        response.set_created(result->created);
        reply(std::move(response));
      });
}

void TopologyService::DeleteExchange(const LoginRef& login,
                                     v1::DeleteExchangeRequest request,
                                     Reply<v1::DeleteExchangeResponse> reply) {
  auto caller = CallerOf(login, request.vhost());
  if (!caller.ok()) return reply(std::move(caller).status());
  absl::Status name = CheckName("exchange", request.name());
  if (!name.ok()) return reply(std::move(name));
  absl::Status allowed = CheckDeleteExchange(request.name(), &caller->access);
  if (!allowed.ok()) return reply(std::move(allowed));
  DeleteExchangeParams params;
  params.vhost = caller->vhost;
  params.name = request.name();
  params.if_unused = request.if_unused();
  engine_->DeleteExchange(
      std::move(params),
      [reply = std::move(reply)](absl::StatusOr<bool> deleted) mutable {
        if (!deleted.ok()) return reply(std::move(deleted).status());
        v1::DeleteExchangeResponse response;
        response.set_deleted(*deleted);
        reply(std::move(response));
      });
}

void TopologyService::GetExchange(const LoginRef& login,
                                  v1::GetExchangeRequest request,
                                  Reply<v1::GetExchangeResponse> reply) {
  auto caller = CallerOf(login, request.vhost());
  if (!caller.ok()) return reply(std::move(caller).status());
  absl::Status name = CheckName("exchange", request.name());
  if (!name.ok()) return reply(std::move(name));
  engine_->GetExchange({caller->vhost, request.name()},
                       [vhost = caller->vhost, reply = std::move(reply)](
                           absl::StatusOr<ExchangeInfo> exchange) mutable {
                         if (!exchange.ok())
                           return reply(std::move(exchange).status());
                         v1::GetExchangeResponse response;
                         *response.mutable_exchange() =
                             FromExchange(vhost, *exchange);
                         reply(std::move(response));
                       });
}

// ---- Queues ----

v1::Queue TopologyService::Convert(absl::string_view vhost,
                                   const QueueInfo& info) const {
  return FromQueue(
      vhost, info,
      info.owner == kNoOwner ? "" : sessions_->ClientNameOf(info.owner));
}

void TopologyService::DeclareQueue(const LoginRef& login,
                                   v1::DeclareQueueRequest request,
                                   Reply<v1::DeclareQueueResponse> reply) {
  auto caller = CallerOf(login, request.vhost(), request.session_id());
  if (!caller.ok()) return reply(std::move(caller).status());
  auto spec = ToQueueSpec(request);
  if (!spec.ok()) return reply(std::move(spec).status());
  if (!request.passive()) {
    absl::Status permitted = CheckStrictly(strictness_, *spec);
    if (!permitted.ok()) return reply(std::move(permitted));
  }
  // While it lasts, the session cannot end and leave us a queue that nobody
  // owns.
  Sessions::Attachment attachment;
  if (spec->exclusive) {
    if (request.session_id().empty()) {
      return reply(MakeError(
          Reason::kSessionRequired,
          absl::StrCat("exclusive queue '", spec->name, "' in vhost '",
                       caller->vhost, "' needs a session"),
          {{"vhost", caller->vhost}, {"queue", spec->name}}));
    }
    auto attached =
        sessions_->Attach(request.session_id(), {}, SessionUse::kRequest);
    if (!attached.ok()) return reply(std::move(attached).status());
    attachment = *std::move(attached);
  }
  DeclareQueueParams params;
  params.vhost = caller->vhost;
  params.owner = caller->owner;
  params.spec = *std::move(spec);
  params.passive = request.passive();
  absl::Status allowed = CheckDeclareQueue(*engine_, &params, &caller->access);
  if (!allowed.ok()) {
    sessions_->Detach(attachment);
    return reply(std::move(allowed));
  }
  engine_->DeclareQueue(
      std::move(params),
      [this, vhost = caller->vhost, attachment, reply = std::move(reply)](
          absl::StatusOr<DeclareQueueResult> result) mutable {
        sessions_->Detach(attachment);
        if (!result.ok()) return reply(std::move(result).status());
        v1::DeclareQueueResponse response;
        *response.mutable_queue() = Convert(vhost, result->queue);
        response.set_created(result->created);
        reply(std::move(response));
      });
}

void TopologyService::DeleteQueue(const LoginRef& login,
                                  v1::DeleteQueueRequest request,
                                  Reply<v1::DeleteQueueResponse> reply) {
  auto caller = CallerOf(login, request.vhost(), request.session_id());
  if (!caller.ok()) return reply(std::move(caller).status());
  absl::Status name = CheckName("queue", request.name());
  if (!name.ok()) return reply(std::move(name));
  absl::Status allowed =
      caller->access.Check(VhostAccess::Permission::kConfigure,
                           VhostAccess::Resource::kQueue, request.name());
  if (!allowed.ok()) return reply(std::move(allowed));
  DeleteQueueParams params;
  params.vhost = caller->vhost;
  params.owner = caller->owner;
  params.name = request.name();
  params.if_unused = request.if_unused();
  params.if_empty = request.if_empty();
  engine_->DeleteQueue(std::move(params),
                       [reply = std::move(reply)](
                           absl::StatusOr<DeleteQueueResult> result) mutable {
                         if (!result.ok())
                           return reply(std::move(result).status());
                         v1::DeleteQueueResponse response;
                         response.set_deleted(result->deleted);
                         response.set_message_count(result->message_count);
                         reply(std::move(response));
                       });
}

void TopologyService::PurgeQueue(const LoginRef& login,
                                 v1::PurgeQueueRequest request,
                                 Reply<v1::PurgeQueueResponse> reply) {
  auto caller = CallerOf(login, request.vhost(), request.session_id());
  if (!caller.ok()) return reply(std::move(caller).status());
  absl::Status name = CheckName("queue", request.name());
  if (!name.ok()) return reply(std::move(name));
  absl::Status allowed =
      caller->access.Check(VhostAccess::Permission::kRead,
                           VhostAccess::Resource::kQueue, request.name());
  if (!allowed.ok()) return reply(std::move(allowed));
  engine_->PurgeQueue(
      {caller->vhost, caller->owner, request.name()},
      [reply = std::move(reply)](absl::StatusOr<uint64_t> purged) mutable {
        if (!purged.ok()) return reply(std::move(purged).status());
        v1::PurgeQueueResponse response;
        response.set_message_count(*purged);
        reply(std::move(response));
      });
}

void TopologyService::GetQueue(const LoginRef& login,
                               v1::GetQueueRequest request,
                               Reply<v1::GetQueueResponse> reply) {
  auto caller = CallerOf(login, request.vhost());
  if (!caller.ok()) return reply(std::move(caller).status());
  absl::Status name = CheckName("queue", request.name());
  if (!name.ok()) return reply(std::move(name));
  engine_->GetQueue({caller->vhost, request.name()},
                    [this, vhost = caller->vhost, reply = std::move(reply)](
                        absl::StatusOr<QueueInfo> queue) mutable {
                      if (!queue.ok()) return reply(std::move(queue).status());
                      v1::GetQueueResponse response;
                      *response.mutable_queue() = Convert(vhost, *queue);
                      reply(std::move(response));
                    });
}

// ---- Bindings ----

absl::StatusOr<BindParams> TopologyService::MakeBindParams(
    const LoginRef& login, const std::string& vhost,
    const std::string& session_id, BindingSpec binding,
    const ProtoTable& arguments) const {
  auto caller = CallerOf(login, vhost, session_id);
  if (!caller.ok()) return std::move(caller).status();
  const bool to_queue = binding.kind == DestinationKind::kQueue;
  for (absl::Status status :
       {CheckName("exchange", binding.source),
        CheckName(to_queue ? "queue" : "exchange", binding.destination),
        CheckName("routing key", binding.routing_key)}) {
    if (!status.ok()) return status;
  }
  auto table = ToTable(arguments);
  if (!table.ok()) return std::move(table).status();
  binding.arguments = *std::move(table);
  absl::Status allowed =
      CheckBind(*engine_, caller->vhost, binding, &caller->access);
  if (!allowed.ok()) return allowed;
  BindParams params;
  params.vhost = std::move(caller->vhost);
  params.owner = caller->owner;
  params.binding = std::move(binding);
  return params;
}

template <typename Response>
void TopologyService::Bind(absl::StatusOr<BindParams> params,
                           Reply<Response> reply) {
  if (!params.ok()) return reply(std::move(params).status());
  Response response;
  *response.mutable_binding() = FromBinding(params->vhost, params->binding);
  engine_->Bind(*std::move(params),
                [response = std::move(response), reply = std::move(reply)](
                    absl::StatusOr<bool> created) mutable {
                  if (!created.ok()) return reply(std::move(created).status());
                  response.set_created(*created);
                  reply(std::move(response));
                });
}

template <typename Response>
void TopologyService::Unbind(absl::StatusOr<BindParams> params,
                             Reply<Response> reply) {
  if (!params.ok()) return reply(std::move(params).status());
  engine_->Unbind(
      *std::move(params),
      [reply = std::move(reply)](absl::StatusOr<bool> deleted) mutable {
        if (!deleted.ok()) {
          return reply(std::move(deleted).status());
        }
        Response response;
        response.set_deleted(*deleted);
        reply(std::move(response));
      });
}

void TopologyService::BindQueue(const LoginRef& login,
                                v1::BindQueueRequest request,
                                Reply<v1::BindQueueResponse> reply) {
  Bind(MakeBindParams(login, request.vhost(), request.session_id(),
                      {request.exchange(),
                       DestinationKind::kQueue,
                       request.queue(),
                       request.routing_key(),
                       {}},
                      request.arguments()),
       std::move(reply));
}

void TopologyService::UnbindQueue(const LoginRef& login,
                                  v1::UnbindQueueRequest request,
                                  Reply<v1::UnbindQueueResponse> reply) {
  Unbind(MakeBindParams(login, request.vhost(), request.session_id(),
                        {request.exchange(),
                         DestinationKind::kQueue,
                         request.queue(),
                         request.routing_key(),
                         {}},
                        request.arguments()),
         std::move(reply));
}

void TopologyService::BindExchange(const LoginRef& login,
                                   v1::BindExchangeRequest request,
                                   Reply<v1::BindExchangeResponse> reply) {
  Bind(MakeBindParams(login, request.vhost(), /*session_id=*/"",
                      {request.source(),
                       DestinationKind::kExchange,
                       request.destination(),
                       request.routing_key(),
                       {}},
                      request.arguments()),
       std::move(reply));
}

void TopologyService::UnbindExchange(const LoginRef& login,
                                     v1::UnbindExchangeRequest request,
                                     Reply<v1::UnbindExchangeResponse> reply) {
  Unbind(MakeBindParams(login, request.vhost(), /*session_id=*/"",
                        {request.source(),
                         DestinationKind::kExchange,
                         request.destination(),
                         request.routing_key(),
                         {}},
                        request.arguments()),
         std::move(reply));
}

}  // namespace kelpmq::service
