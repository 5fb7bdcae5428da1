#ifndef KELPMQ_SERVICE_RPC_ADMIN_SERVICE_H_
#define KELPMQ_SERVICE_RPC_ADMIN_SERVICE_H_

#include "kelpmq/v1/admin.pb.h"
#include "service/engine/engine.h"
#include "service/rpc/codec.h"
#include "service/rpc/reactor.h"
#include "service/rpc/sessions.h"
#include "service/rpc/stream_registry.h"

namespace kelpmq::service {

// kelpmq.v1.AdminService: vhosts and sessions. RPCs about users, permissions,
// policies and definitions answer FEATURE_UNSUPPORTED.
// Thread-safety: thread-safe. Must outlive the server that serves it.
class AdminService {
 public:
  AdminService(Engine* engine, Sessions* sessions, StreamRegistry* streams)
      : engine_(engine), sessions_(sessions), streams_(streams) {}

  void Register(MethodTable* table);

 private:
  template <typename Request, typename Response>
  void Add(MethodTable* table, absl::string_view rpc,
           void (AdminService::*method)(Request, Reply<Response>));

  void PutVhost(v1::PutVhostRequest request, Reply<v1::PutVhostResponse> reply);
  void DeleteVhost(v1::DeleteVhostRequest request,
                   Reply<v1::DeleteVhostResponse> reply);
  void ListVhosts(v1::ListVhostsRequest request,
                  Reply<v1::ListVhostsResponse> reply);
  void ListSessions(v1::ListSessionsRequest request,
                    Reply<v1::ListSessionsResponse> reply);
  void EndSession(v1::EndSessionRequest request,
                  Reply<v1::EndSessionResponse> reply);

  Engine* const engine_;
  Sessions* const sessions_;
  StreamRegistry* const streams_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_ADMIN_SERVICE_H_
