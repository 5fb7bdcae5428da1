#include "service/rpc/admin_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/auth/vhost_access.h"
#include "service/base/error.h"
#include "service/rpc/admin_audit.h"
#include "service/rpc/convert.h"
#include "service/rpc/paging.h"
#include "service/rpc/stream_errors.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kService = "/kelpmq.v1.AdminService/";

// Text for the client, in the status of its streams: trailers are small.
constexpr size_t kMaxReasonBytes = 1024;

absl::Status CheckVhostRequest(const v1::Vhost& vhost) {
  if (vhost.name().empty()) {
    return MakeError(Reason::kInvalidName, "a vhost needs a name",
                     {{"argument", "vhost"}});
  }
  if (absl::Status name = CheckName("vhost", vhost.name()); !name.ok()) {
    return name;
  }
  const std::string& type = vhost.default_queue_type();
  if (!type.empty() && type != "classic" && type != "quorum") {
    return MakeError(Reason::kInvalidValue,
                     absl::StrCat("unknown default_queue_type '", type, "'"),
                     {{"argument", "default_queue_type"}});
  }
  return absl::OkStatus();
}

v1::Vhost FromVhost(const VhostInfo& info) {
  v1::Vhost vhost;
  vhost.set_name(info.name);
  vhost.set_description(info.description);
  for (const std::string& tag : info.tags) vhost.add_tags(tag);
  vhost.set_default_queue_type(info.default_queue_type);
  if (info.max_queues.has_value()) vhost.set_max_queues(*info.max_queues);
  if (info.max_connections.has_value()) {
    vhost.set_max_connections(*info.max_connections);
  }
  return vhost;
}

v1::SessionInfo FromSession(const Sessions::Listed& listed) {
  v1::SessionInfo session;
  session.set_session_ref(listed.session_ref);
  session.set_vhost(listed.session.vhost);
  session.set_user(UserOf(listed.session.login));
  session.set_client_name(listed.session.client_name);
  session.set_peer(listed.session.peer);
  *session.mutable_open_time() = FromTime(listed.open_time);
  if (listed.expire_time != absl::InfiniteFuture()) {
    *session.mutable_expire_time() = FromTime(listed.expire_time);
  }
  session.set_unacked_count(listed.unacked_count);
  session.set_stream_count(listed.stream_count);
  return session;
}

}  // namespace

template <typename Request, typename Response>
void AdminService::Add(MethodTable* table, absl::string_view rpc,
                       void (AdminService::*method)(const CallContext&, Request,
                                                    Reply<Response>)) {
  AddUnary<Request, Response>(
      table, absl::StrCat(kService, rpc), MethodTable::WhileDraining::kAllow,
      [this, method](CallContext context, Request request,
                     Reply<Response> reply) {
        (this->*method)(context, std::move(request), std::move(reply));
      },
      MethodTable::OpenTo::kAdministrators);
}

template <typename Request, typename Response>
void AdminService::AddChange(MethodTable* table, absl::string_view rpc,
                             void (AdminService::*method)(const CallContext&,
                                                          Request,
                                                          Reply<Response>)) {
  AddUnary<Request, Response>(
      table, absl::StrCat(kService, rpc), MethodTable::WhileDraining::kAllow,
      [this, method, action = std::string(rpc)](
          CallContext context, Request request, Reply<Response> reply) {
        AuditEvent event{action, UserOf(context.login), context.peer,
                         SubjectOf(request), ""};
        (this->*method)(
            context, std::move(request),
            [this, event = std::move(event), reply = std::move(reply)](
                absl::StatusOr<Response> response) mutable {
              event.outcome =
                  absl::StatusCodeToString(response.status().code());
              if (audit_ != nullptr) audit_->Write(event);
              reply(std::move(response));
            });
      },
      MethodTable::OpenTo::kAdministrators);
}

void AdminService::Register(MethodTable* table) {
  AddChange(table, "PutVhost", &AdminService::PutVhost);
  AddChange(table, "DeleteVhost", &AdminService::DeleteVhost);
  Add(table, "ListVhosts", &AdminService::ListVhosts);
  AddChange(table, "PutUser", &AdminService::PutUser);
  AddChange(table, "DeleteUser", &AdminService::DeleteUser);
  Add(table, "ListUsers", &AdminService::ListUsers);
  AddChange(table, "SetPermission", &AdminService::SetPermission);
  AddChange(table, "ClearPermission", &AdminService::ClearPermission);
  Add(table, "ListPermissions", &AdminService::ListPermissions);
  AddChange(table, "SetTopicPermission", &AdminService::SetTopicPermission);
  AddChange(table, "ClearTopicPermission", &AdminService::ClearTopicPermission);
  Add(table, "ListTopicPermissions", &AdminService::ListTopicPermissions);
  AddChange(table, "PutPolicy", &AdminService::PutPolicy);
  AddChange(table, "DeletePolicy", &AdminService::DeletePolicy);
  Add(table, "ListPolicies", &AdminService::ListPolicies);
  Add(table, "ListSessions", &AdminService::ListSessions);
  AddChange(table, "EndSession", &AdminService::EndSession);
  AddChange(table, "ImportDefinitions", &AdminService::ImportDefinitions);
  Add(table, "ExportDefinitions", &AdminService::ExportDefinitions);
}

void AdminService::Recheck(Closure done) {
  streams_->RecheckAccess();
  sessions_->EndRefused(
      [this](const SessionInfo& session) -> absl::Status {
        if (session.login == nullptr) return absl::OkStatus();
        if (users_->FindUser(UserOf(session.login)) == nullptr) {
          return CheckStillValid(session.login, absl::InfinitePast());
        }
        return VhostAccess(session.login, session.vhost).CheckVhost();
      },
      std::move(done));
}

void AdminService::PutVhost(const CallContext& context,
                            v1::PutVhostRequest request,
                            Reply<v1::PutVhostResponse> reply) {
  const v1::Vhost& vhost = request.vhost();
  absl::Status status = CheckVhostRequest(vhost);
  if (!status.ok()) return reply(std::move(status));
  VhostInfo info;
  info.name = vhost.name();
  info.description = vhost.description();
  info.tags.assign(vhost.tags().begin(), vhost.tags().end());
  info.default_queue_type = vhost.default_queue_type();
  if (vhost.has_max_queues()) info.max_queues = vhost.max_queues();
  if (vhost.has_max_connections()) {
    info.max_connections = vhost.max_connections();
  }
  engine_->PutVhost(
      std::move(info),
      [this, vhost = vhost.name(), user = UserOf(context.login),
       reply = std::move(reply)](absl::StatusOr<bool> created) mutable {
        if (!created.ok()) return reply(std::move(created).status());
        // As RabbitMQ's management API: who makes it may use it.
        const AccountRef account = users_->FindUser(user);
        if (*created && account != nullptr && !account->unrestricted) {
          absl::Status set =
              users_->SetPermission({std::move(vhost), user, ".*", ".*", ".*"});
          if (!set.ok()) return reply(std::move(set));
        }
        v1::PutVhostResponse response;
        response.set_created(*created);
        reply(std::move(response));
      });
}

void AdminService::DeleteVhost(const CallContext& context,
                               v1::DeleteVhostRequest request,
                               Reply<v1::DeleteVhostResponse> reply) {
  const std::string& name = request.name();
  if (name.empty()) {
    return reply(MakeError(Reason::kInvalidName, "a vhost needs a name",
                           {{"argument", "name"}}));
  }
  absl::Status valid = CheckName("vhost", name);
  if (!valid.ok()) return reply(std::move(valid));
  // The engine first: from then on nothing new can begin in it.
  engine_->DeleteVhost(name, [this, name, reply = std::move(reply)](
                                 absl::StatusOr<bool> deleted) mutable {
    if (!deleted.ok()) return reply(std::move(deleted).status());
    v1::DeleteVhostResponse response;
    response.set_deleted(*deleted);
    if (!*deleted) return reply(std::move(response));
    users_->ForgetVhost(name);
    streams_->EndVhost(name);
    sessions_->EndVhost(
        name, VhostGoneError(name),
        [reply = std::move(reply), response = std::move(response)]() mutable {
          reply(std::move(response));
        });
  });
}

void AdminService::ListVhosts(const CallContext& context,
                              v1::ListVhostsRequest request,
                              Reply<v1::ListVhostsResponse> reply) {
  const PageScope scope("ListVhosts", {});
  auto page = scope.Read(request.page_size(), request.page_token());
  if (!page.ok()) return reply(std::move(page).status());
  ListParams params;
  params.after = std::move(page->after);
  params.limit = page->limit;
  engine_->ListVhosts(
      std::move(params), [scope, reply = std::move(reply)](
                             absl::StatusOr<Page<VhostInfo>> vhosts) mutable {
        if (!vhosts.ok()) return reply(std::move(vhosts).status());
        v1::ListVhostsResponse response;
        for (const VhostInfo& vhost : vhosts->items) {
          *response.add_vhosts() = FromVhost(vhost);
        }
        response.set_next_page_token(scope.NextToken(vhosts->next));
        reply(std::move(response));
      });
}

void AdminService::ListSessions(const CallContext& context,
                                v1::ListSessionsRequest request,
                                Reply<v1::ListSessionsResponse> reply) {
  absl::Status name = CheckName("vhost", request.vhost());
  if (!name.ok()) return reply(std::move(name));
  const PageScope scope("ListSessions", {request.vhost()});
  auto page = scope.Read(request.page_size(), request.page_token());
  if (!page.ok()) return reply(std::move(page).status());
  // One more than asked for tells whether another page follows.
  auto sessions =
      sessions_->List(request.vhost(), page->after, page->limit + 1);
  v1::ListSessionsResponse response;
  if (sessions.size() > page->limit) {
    sessions.pop_back();
    response.set_next_page_token(scope.NextToken(sessions.back().session_ref));
  }
  for (const Sessions::Listed& session : sessions) {
    *response.add_sessions() = FromSession(session);
  }
  reply(std::move(response));
}

void AdminService::EndSession(const CallContext& context,
                              v1::EndSessionRequest request,
                              Reply<v1::EndSessionResponse> reply) {
  if (request.reason().size() > kMaxReasonBytes) {
    return reply(
        MakeError(Reason::kInvalidValue,
                  absl::StrCat("the reason has ", request.reason().size(),
                               " bytes, more than ", kMaxReasonBytes),
                  {{"argument", "reason"}}));
  }
  sessions_->EndByRef(request.session_ref(), request.reason(),
                      [reply = std::move(reply)](bool ended) mutable {
                        v1::EndSessionResponse response;
                        response.set_ended(ended);
                        reply(std::move(response));
                      });
}

}  // namespace kelpmq::service
