#ifndef KELPMQ_SERVICE_BROKER_H_
#define KELPMQ_SERVICE_BROKER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/auth/audit.h"
#include "service/auth/user_store.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/timer_queue.h"
#include "service/resources/memory_mark.h"
#include "service/resources/memory_source.h"
#include "service/rpc/limits.h"
#include "service/rpc/server.h"
#include "service/rpc/strictness.h"

namespace kelpmq::service {

struct BrokerOptions {
  // max_request_bytes is taken from the limits, max_transport_bytes from the
  // memory that there is.
  ServerOptions server;
  Limits limits;
  // Who may come in. Null: `guest` alone, who may do everything and whom calls
  // without credentials stand for.
  std::shared_ptr<UserStore> users;
  // A definitions document that is brought in before anybody can connect;
  // empty: none. One that is not valid is kInvalidArgument.
  std::string definitions;
  // Hears of changes by administrators and of failed logins; outlives the
  // broker. Null: nobody does.
  AuditLog* audit = nullptr;
  // Tells this broker from others behind one balancer.
  std::string node_id = "kelpmq";
  // Where pages for those who watch are served: HOST:PORT, as in
  // server.listen. None: nowhere.
  std::vector<std::string> http;
  // Above this much memory publishers are held back until consumers have
  // drained enough of it.
  MemoryMark memory_high_watermark = MemoryMark::Percent(60);
  // Null: of this process. Outlives the broker.
  MemorySource* memory_source = nullptr;
  // What is refused besides.
  Strictness strictness = Strictness::kNone;
  // The time of queues, sessions and leases stands still until
  // TestingService.AdvanceClock moves it; what concerns connections runs on
  // real time all the same.
  bool manual_clock = false;
  // Null: nothing is logged. Outlives the broker.
  const Log* log = nullptr;
  // Null: as manual_clock says. Both or none; both outlive the broker, and who
  // gives them sees to it that due timers run.
  const Clock* engine_clock = nullptr;
  TimerQueue* engine_timers = nullptr;
};

// A whole broker in this process: clock, threads, engine, services and the
// server in front of them. Thread-safety: thread-compatible.
class Broker {
 public:
  // Serves from the moment this returns. Errors: those of Server::Listen.
  static absl::StatusOr<std::unique_ptr<Broker>> Start(BrokerOptions options);

  // Stops, if it has not been stopped.
  ~Broker();

  // What it listens on, with the ports that were chosen for port 0.
  const std::vector<std::string>& addresses() const;

  // The same for HTTP.
  std::vector<std::string> http_addresses() const;

  // First step of a stop: health says NOT_SERVING, streams are told, new ones
  // are refused, and the rest is served for `timeout` more of real time.
  void BeginDrain(absl::Duration timeout);
  // Whether there is nothing left to wait for: no stream is open, and no Get
  // has deliveries that may yet be settled.
  bool drained() const;
  // Second step: ends the streams that are left and stops. Blocks.
  void Stop();

 private:
  struct Parts;

  explicit Broker(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BROKER_H_
