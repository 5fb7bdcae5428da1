#ifndef KELPMQ_SERVICE_RPC_MESSAGING_CONTEXT_H_
#define KELPMQ_SERVICE_RPC_MESSAGING_CONTEXT_H_

#include <string>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/timer_queue.h"
#include "service/engine/engine.h"
#include "service/resources/memory_alarm.h"
#include "service/rpc/leases.h"
#include "service/rpc/limits.h"
#include "service/rpc/sessions.h"
#include "service/rpc/stream_registry.h"
#include "service/rpc/strictness.h"
#include "service/rpc/traffic.h"

namespace kelpmq::service {

// What MessagingService and its streams work with. All outlive them.
struct MessagingContext {
  Engine* engine = nullptr;
  Sessions* sessions = nullptr;
  Leases* leases = nullptr;
  StreamRegistry* streams = nullptr;
  const Log* log = nullptr;
  MemoryAlarm* memory = nullptr;
  Traffic* traffic = nullptr;
  // Real time: heartbeats, waits.
  const Clock* clock = nullptr;
  TimerQueue* timers = nullptr;
  // The engine's time, which tests may move: Get leases.
  const Clock* engine_clock = nullptr;
  TimerQueue* engine_timers = nullptr;
  Limits limits;
  Strictness strictness = Strictness::kNone;
  std::string default_vhost = "/";

  // An empty vhost in a request means the default one.
  std::string VhostOrDefault(const std::string& vhost) const {
    return vhost.empty() ? default_vhost : vhost;
  }
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_MESSAGING_CONTEXT_H_
