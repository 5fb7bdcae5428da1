#ifndef KELPMQ_SERVICE_OBSERVATION_H_
#define KELPMQ_SERVICE_OBSERVATION_H_

#include <atomic>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/engine/engine.h"
#include "service/http/http_server.h"
#include "service/http/metrics_page.h"
#include "service/resources/memory_alarm.h"
#include "service/resources/process_memory.h"
#include "service/rpc/call_log.h"
#include "service/rpc/draining.h"
#include "service/rpc/sessions.h"
#include "service/rpc/traffic.h"

namespace kelpmq::service {

// The pages for those who watch a broker:
//   /healthz   200 as long as the process answers at all
//   /readyz    200 while calls are served: 503 before that, and while draining
//   /metrics   the broker as a whole, for Prometheus
//   /metrics/per-object   each queue besides
//   /metrics/detailed     of each queue what `family` names, of `vhost` alone
// Everything is read when it is asked for.
// Thread-safety: Handle on one thread at a time, set_serving from any.
class Observation {
 public:
  struct Sources {
    Engine* engine = nullptr;
    const Sessions* sessions = nullptr;
    const MemoryAlarm* memory = nullptr;
    const ProcessMemory* process = nullptr;
    const Traffic* traffic = nullptr;
    const CallLog* calls = nullptr;
    const Draining* draining = nullptr;
    const Clock* clock = nullptr;
    std::string version;
    std::string node_id;
    absl::Time start_time;
  };
  // All of `sources` must outlive this.
  explicit Observation(Sources sources) : sources_(std::move(sources)) {}

  // Waits for the engine.
  HttpResponse Handle(const HttpRequest& request) const;

  // The broker serves calls from now on.
  void set_serving() { serving_.store(true, std::memory_order_release); }

 private:
  HttpResponse Ready() const;
  HttpResponse Metrics() const;
  HttpResponse PerObject() const;
  HttpResponse Detailed(const HttpRequest& request) const;

  std::vector<std::string> VhostNames() const;
  std::vector<QueueReading> QueuesOf(
      const std::vector<std::string>& vhosts) const;
  BrokerReading Read(const std::vector<QueueReading>& queues) const;

  const Sources sources_;
  std::atomic<bool> serving_{false};
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_OBSERVATION_H_
