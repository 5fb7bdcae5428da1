#include "service/rpc/session_service.h"

#include <memory>

#include "service/rpc/caller.h"
#include "service/rpc/convert.h"
#include "service/rpc/watch_stream.h"

namespace kelpmq::service {
namespace {

using WhileDraining = MethodTable::WhileDraining;

}  // namespace

void SessionService::Register(MethodTable* table) {
  AddUnary<v1::OpenSessionRequest, v1::OpenSessionResponse>(
      table, "/kelpmq.v1.SessionService/OpenSession", WhileDraining::kRefuse,
      [this](CallContext context, v1::OpenSessionRequest request,
             Reply<v1::OpenSessionResponse> reply) {
        OpenSession(std::move(context), std::move(request), std::move(reply));
      });
  AddUnary<v1::KeepSessionAliveRequest, v1::KeepSessionAliveResponse>(
      table, "/kelpmq.v1.SessionService/KeepSessionAlive",
      WhileDraining::kAllow,
      [this](CallContext context, v1::KeepSessionAliveRequest request,
             Reply<v1::KeepSessionAliveResponse> reply) {
        absl::Status own =
            sessions_->CheckUser(request.session_id(), context.login);
        if (!own.ok()) return reply(std::move(own));
        KeepSessionAlive(std::move(request), std::move(reply));
      });
  AddUnary<v1::CloseSessionRequest, v1::CloseSessionResponse>(
      table, "/kelpmq.v1.SessionService/CloseSession", WhileDraining::kAllow,
      [this](CallContext context, v1::CloseSessionRequest request,
             Reply<v1::CloseSessionResponse> reply) {
        absl::Status own =
            sessions_->CheckUser(request.session_id(), context.login);
        if (!own.ok()) return reply(std::move(own));
        CloseSession(std::move(request), std::move(reply));
      });
  table->Add(
      "/kelpmq.v1.SessionService/WatchSession", WhileDraining::kRefuse,
      [this] {
        return std::make_shared<WatchStream>(engine_, sessions_, streams_,
                                             memory_, clock_, timers_);
      },
      MethodTable::Kind::kStream);
}

void SessionService::OpenSession(CallContext context,
                                 v1::OpenSessionRequest request,
                                 Reply<v1::OpenSessionResponse> reply) {
  for (absl::Status status :
       {CheckName("vhost", request.vhost()),
        CheckName("client name", request.client_name()),
        // Not used for anything, but to be as valid as any table.
        ToTable(request.client_properties()).status()}) {
    if (!status.ok()) return reply(std::move(status));
  }
  auto ttl =
      ToDuration("ttl", request.ttl(),
                 {Sessions::kDefaultTtl, Sessions::kMinTtl, Sessions::kMaxTtl});
  if (!ttl.ok()) return reply(std::move(ttl).status());

  Sessions::OpenParams params;
  params.vhost = request.vhost().empty() ? default_vhost_ : request.vhost();
  params.ttl = *ttl;
  VhostAccess access(context.login, params.vhost);
  absl::Status allowed = CheckVhostAccess(*engine_, params.vhost, &access);
  if (!allowed.ok()) return reply(std::move(allowed));
  params.login = std::move(context.login);
  params.client_name = request.client_name();
  params.peer = std::move(context.peer);
  params.bound_to_watch = request.bound_to_watch();
  auto opened = sessions_->Open(std::move(params));
  if (!opened.ok()) return reply(std::move(opened).status());
  v1::OpenSessionResponse response;
  response.set_session_id(opened->session_id);
  *response.mutable_ttl() = FromDuration(opened->ttl);
  *response.mutable_expire_time() = FromTime(opened->expire_time);
  reply(std::move(response));
}

void SessionService::KeepSessionAlive(
    v1::KeepSessionAliveRequest request,
    Reply<v1::KeepSessionAliveResponse> reply) {
  auto expire_time = sessions_->KeepAlive(request.session_id());
  if (!expire_time.ok()) return reply(std::move(expire_time).status());
  v1::KeepSessionAliveResponse response;
  *response.mutable_expire_time() = FromTime(*expire_time);
  reply(std::move(response));
}

void SessionService::CloseSession(v1::CloseSessionRequest request,
                                  Reply<v1::CloseSessionResponse> reply) {
  sessions_->Close(request.session_id(),
                   [reply = std::move(reply)](
                       absl::StatusOr<Sessions::Ended> ended) mutable {
                     if (!ended.ok()) return reply(std::move(ended).status());
                     v1::CloseSessionResponse response;
                     response.set_requeued_count(ended->requeued_count);
                     for (std::string& queue : ended->deleted_queues) {
                       response.add_deleted_queues(std::move(queue));
                     }
                     reply(std::move(response));
                   });
}

}  // namespace kelpmq::service
