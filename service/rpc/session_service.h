#ifndef KELPMQ_SERVICE_RPC_SESSION_SERVICE_H_
#define KELPMQ_SERVICE_RPC_SESSION_SERVICE_H_

#include <string>
#include <utility>

#include "kelpmq/v1/session.pb.h"
#include "service/base/clock.h"
#include "service/base/timer_queue.h"
#include "service/engine/engine.h"
#include "service/resources/memory_alarm.h"
#include "service/rpc/codec.h"
#include "service/rpc/reactor.h"
#include "service/rpc/sessions.h"
#include "service/rpc/stream_registry.h"

namespace kelpmq::service {

// kelpmq.v1.SessionService, on top of Sessions.
// Thread-safety: thread-safe. Must outlive the server that serves it.
class SessionService {
 public:
  // `clock` and `timers` drive the heartbeats of watches.
  SessionService(const Engine* engine, Sessions* sessions,
                 StreamRegistry* streams, const MemoryAlarm* memory,
                 const Clock* clock, TimerQueue* timers,
                 std::string default_vhost)
      : engine_(engine),
        sessions_(sessions),
        streams_(streams),
        memory_(memory),
        clock_(clock),
        timers_(timers),
        default_vhost_(std::move(default_vhost)) {}

  void Register(MethodTable* table);

 private:
  void OpenSession(CallContext context, v1::OpenSessionRequest request,
                   Reply<v1::OpenSessionResponse> reply);
  void KeepSessionAlive(v1::KeepSessionAliveRequest request,
                        Reply<v1::KeepSessionAliveResponse> reply);
  void CloseSession(v1::CloseSessionRequest request,
                    Reply<v1::CloseSessionResponse> reply);

  const Engine* const engine_;
  Sessions* const sessions_;
  StreamRegistry* const streams_;
  const MemoryAlarm* const memory_;
  const Clock* const clock_;
  TimerQueue* const timers_;
  const std::string default_vhost_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_SESSION_SERVICE_H_
