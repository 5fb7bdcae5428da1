#ifndef KELPMQ_SERVICE_RPC_ADMIN_SERVICE_H_
#define KELPMQ_SERVICE_RPC_ADMIN_SERVICE_H_

#include <string>
#include <utility>

#include "kelpmq/v1/admin.pb.h"
#include "service/auth/audit.h"
#include "service/auth/user_store.h"
#include "service/base/executor.h"
#include "service/definitions/definitions_store.h"
#include "service/engine/engine.h"
#include "service/rpc/codec.h"
#include "service/rpc/reactor.h"
#include "service/rpc/sessions.h"
#include "service/rpc/stream_registry.h"

namespace kelpmq::service {

// kelpmq.v1.AdminService: vhosts, users, permissions, policies and sessions,
// for administrators.
// Thread-safety: thread-safe. Must outlive the server that serves it.
class AdminService {
 public:
  // What it works with; all of it outlives the service.
  struct Parts {
    Engine* engine = nullptr;
    Sessions* sessions = nullptr;
    StreamRegistry* streams = nullptr;
    UserStore* users = nullptr;
    DefinitionsStore* definitions = nullptr;
    // Runs what takes long or waits: hashing a password, an import. One thread.
    Executor* slow = nullptr;
    AuditLog* audit = nullptr;  // may be null
  };
  AdminService(const Parts& parts, std::string default_vhost)
      : engine_(parts.engine),
        sessions_(parts.sessions),
        streams_(parts.streams),
        users_(parts.users),
        definitions_(parts.definitions),
        slow_(parts.slow),
        audit_(parts.audit),
        default_vhost_(std::move(default_vhost)) {}

  void Register(MethodTable* table);

 private:
  // Each call that changes something becomes a line of the log.
  template <typename Request, typename Response>
  void Add(MethodTable* table, absl::string_view rpc,
           void (AdminService::*method)(const CallContext&, Request,
                                        Reply<Response>));
  // The same, leaving a line in the audit log.
  template <typename Request, typename Response>
  void AddChange(MethodTable* table, absl::string_view rpc,
                 void (AdminService::*method)(const CallContext&, Request,
                                              Reply<Response>));

  void PutVhost(const CallContext& context, v1::PutVhostRequest request,
                Reply<v1::PutVhostResponse> reply);
  void DeleteVhost(const CallContext& context, v1::DeleteVhostRequest request,
                   Reply<v1::DeleteVhostResponse> reply);
  void ListVhosts(const CallContext& context, v1::ListVhostsRequest request,
                  Reply<v1::ListVhostsResponse> reply);
  // In admin_policies.cc.
  void PutPolicy(const CallContext& context, v1::PutPolicyRequest request,
                 Reply<v1::PutPolicyResponse> reply);
  void DeletePolicy(const CallContext& context, v1::DeletePolicyRequest request,
                    Reply<v1::DeletePolicyResponse> reply);
  void ListPolicies(const CallContext& context, v1::ListPoliciesRequest request,
                    Reply<v1::ListPoliciesResponse> reply);
  void ListSessions(const CallContext& context, v1::ListSessionsRequest request,
                    Reply<v1::ListSessionsResponse> reply);
  void EndSession(const CallContext& context, v1::EndSessionRequest request,
                  Reply<v1::EndSessionResponse> reply);

  // In admin_users.cc.
  void PutUser(const CallContext& context, v1::PutUserRequest request,
               Reply<v1::PutUserResponse> reply);
  void DeleteUser(const CallContext& context, v1::DeleteUserRequest request,
                  Reply<v1::DeleteUserResponse> reply);
  void ListUsers(const CallContext& context, v1::ListUsersRequest request,
                 Reply<v1::ListUsersResponse> reply);
  // In admin_permissions.cc.
  void SetPermission(const CallContext& context,
                     v1::SetPermissionRequest request,
                     Reply<v1::SetPermissionResponse> reply);
  void ClearPermission(const CallContext& context,
                       v1::ClearPermissionRequest request,
                       Reply<v1::ClearPermissionResponse> reply);
  void ListPermissions(const CallContext& context,
                       v1::ListPermissionsRequest request,
                       Reply<v1::ListPermissionsResponse> reply);
  void SetTopicPermission(const CallContext& context,
                          v1::SetTopicPermissionRequest request,
                          Reply<v1::SetTopicPermissionResponse> reply);
  void ClearTopicPermission(const CallContext& context,
                            v1::ClearTopicPermissionRequest request,
                            Reply<v1::ClearTopicPermissionResponse> reply);
  void ListTopicPermissions(const CallContext& context,
                            v1::ListTopicPermissionsRequest request,
                            Reply<v1::ListTopicPermissionsResponse> reply);

  // In admin_definitions.cc.
  void ImportDefinitions(const CallContext& context,
                         v1::ImportDefinitionsRequest request,
                         Reply<v1::ImportDefinitionsResponse> reply);
  void ExportDefinitions(const CallContext& context,
                         v1::ExportDefinitionsRequest request,
                         Reply<v1::ExportDefinitionsResponse> reply);

  // Users or permissions have changed: ends what is no longer allowed, then
  // runs `done`.
  void Recheck(Closure done);

  std::string VhostOrDefault(std::string vhost) const {
    return vhost.empty() ? default_vhost_ : std::move(vhost);
  }

  Engine* const engine_;
  Sessions* const sessions_;
  StreamRegistry* const streams_;
  UserStore* const users_;
  DefinitionsStore* const definitions_;
  Executor* const slow_;
  AuditLog* const audit_;
  const std::string default_vhost_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_ADMIN_SERVICE_H_
