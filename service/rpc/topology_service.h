#ifndef KELPMQ_SERVICE_RPC_TOPOLOGY_SERVICE_H_
#define KELPMQ_SERVICE_RPC_TOPOLOGY_SERVICE_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kelpmq/v1/topology.pb.h"
#include "service/engine/engine.h"
#include "service/rpc/caller.h"
#include "service/rpc/codec.h"
#include "service/rpc/convert.h"
#include "service/rpc/reactor.h"
#include "service/rpc/sessions.h"
#include "service/rpc/strictness.h"

namespace kelpmq::service {

// kelpmq.v1.TopologyService: checks and converts, asks the engine, converts
// back. All rules are the engine's, but that an exclusive queue needs a
// session. Thread-safety: thread-safe. Must outlive the server that serves it.
class TopologyService {
 public:
  TopologyService(Engine* engine, Sessions* sessions, std::string default_vhost,
                  Strictness strictness = Strictness::kNone)
      : engine_(engine),
        sessions_(sessions),
        default_vhost_(std::move(default_vhost)),
        strictness_(strictness) {}

  // Adds every RPC. All of them go on while the server drains.
  void Register(MethodTable* table);

 private:
  template <typename Request, typename Response>
  void Add(MethodTable* table, absl::string_view rpc,
           void (TopologyService::*method)(const LoginRef&, Request,
                                           Reply<Response>));

  void DeclareExchange(const LoginRef& login,
                       v1::DeclareExchangeRequest request,
                       Reply<v1::DeclareExchangeResponse> reply);
  void DeleteExchange(const LoginRef& login, v1::DeleteExchangeRequest request,
                      Reply<v1::DeleteExchangeResponse> reply);
  void DeclareQueue(const LoginRef& login, v1::DeclareQueueRequest request,
                    Reply<v1::DeclareQueueResponse> reply);
  void DeleteQueue(const LoginRef& login, v1::DeleteQueueRequest request,
                   Reply<v1::DeleteQueueResponse> reply);
  void PurgeQueue(const LoginRef& login, v1::PurgeQueueRequest request,
                  Reply<v1::PurgeQueueResponse> reply);
  void BindQueue(const LoginRef& login, v1::BindQueueRequest request,
                 Reply<v1::BindQueueResponse> reply);
  void UnbindQueue(const LoginRef& login, v1::UnbindQueueRequest request,
                   Reply<v1::UnbindQueueResponse> reply);
  void BindExchange(const LoginRef& login, v1::BindExchangeRequest request,
                    Reply<v1::BindExchangeResponse> reply);
  void UnbindExchange(const LoginRef& login, v1::UnbindExchangeRequest request,
                      Reply<v1::UnbindExchangeResponse> reply);
  void GetExchange(const LoginRef& login, v1::GetExchangeRequest request,
                   Reply<v1::GetExchangeResponse> reply);
  void GetQueue(const LoginRef& login, v1::GetQueueRequest request,
                Reply<v1::GetQueueResponse> reply);
  void ListExchanges(const LoginRef& login, v1::ListExchangesRequest request,
                     Reply<v1::ListExchangesResponse> reply);
  void ListQueues(const LoginRef& login, v1::ListQueuesRequest request,
                  Reply<v1::ListQueuesResponse> reply);
  void ListBindings(const LoginRef& login, v1::ListBindingsRequest request,
                    Reply<v1::ListBindingsResponse> reply);
  void ListConsumers(const LoginRef& login, v1::ListConsumersRequest request,
                     Reply<v1::ListConsumersResponse> reply);

  absl::StatusOr<Caller> CallerOf(const LoginRef& login,
                                  const std::string& vhost,
                                  const std::string& session_id = "") const {
    return ResolveCaller(*engine_, sessions_, login, default_vhost_, vhost,
                         session_id);
  }
  // The queue as clients see it, with the name of the client that owns it.
  v1::Queue Convert(absl::string_view vhost, const QueueInfo& info) const;

  // The four binding RPCs, once their fields have been sorted out: the reply
  // is `created` or `deleted`.
  absl::StatusOr<BindParams> MakeBindParams(const LoginRef& login,
                                            const std::string& vhost,
                                            const std::string& session_id,
                                            BindingSpec binding,
                                            const ProtoTable& arguments) const;
  template <typename Response>
  void Bind(absl::StatusOr<BindParams> params, Reply<Response> reply);
  template <typename Response>
  void Unbind(absl::StatusOr<BindParams> params, Reply<Response> reply);

  Engine* const engine_;
  Sessions* const sessions_;
  const std::string default_vhost_;
  const Strictness strictness_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_TOPOLOGY_SERVICE_H_
