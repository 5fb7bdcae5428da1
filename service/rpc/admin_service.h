#ifndef KELPMQ_SERVICE_RPC_ADMIN_SERVICE_H_
#define KELPMQ_SERVICE_RPC_ADMIN_SERVICE_H_

#include <string>
#include <utility>

#include "kelpmq/v1/admin.pb.h"
#include "service/base/log.h"
#include "service/engine/engine.h"
#include "service/rpc/codec.h"
#include "service/rpc/reactor.h"
#include "service/rpc/sessions.h"
#include "service/rpc/stream_registry.h"

namespace kelpmq::service {

// kelpmq.v1.AdminService: vhosts, policies and sessions. RPCs about users,
// permissions and definitions answer FEATURE_UNSUPPORTED.
// Thread-safety: thread-safe. Must outlive the server that serves it.
class AdminService {
 public:
  AdminService(Engine* engine, Sessions* sessions, StreamRegistry* streams,
               const Log* log, std::string default_vhost)
      : engine_(engine),
        sessions_(sessions),
        streams_(streams),
        log_(log),
        default_vhost_(std::move(default_vhost)) {}

  void Register(MethodTable* table);

 private:
  // Each call that changes something becomes a line of the log.
  template <typename Request, typename Response>
  void Add(MethodTable* table, absl::string_view rpc,
           void (AdminService::*method)(Request, Reply<Response>));

  void PutVhost(v1::PutVhostRequest request, Reply<v1::PutVhostResponse> reply);
  void DeleteVhost(v1::DeleteVhostRequest request,
                   Reply<v1::DeleteVhostResponse> reply);
  void ListVhosts(v1::ListVhostsRequest request,
                  Reply<v1::ListVhostsResponse> reply);
  // In admin_policies.cc.
  void PutPolicy(v1::PutPolicyRequest request,
                 Reply<v1::PutPolicyResponse> reply);
  void DeletePolicy(v1::DeletePolicyRequest request,
                    Reply<v1::DeletePolicyResponse> reply);
  void ListPolicies(v1::ListPoliciesRequest request,
                    Reply<v1::ListPoliciesResponse> reply);
  void ListSessions(v1::ListSessionsRequest request,
                    Reply<v1::ListSessionsResponse> reply);
  void EndSession(v1::EndSessionRequest request,
                  Reply<v1::EndSessionResponse> reply);

  std::string VhostOrDefault(std::string vhost) const {
    return vhost.empty() ? default_vhost_ : std::move(vhost);
  }

  Engine* const engine_;
  Sessions* const sessions_;
  StreamRegistry* const streams_;
  const Log* const log_;
  const std::string default_vhost_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_ADMIN_SERVICE_H_
