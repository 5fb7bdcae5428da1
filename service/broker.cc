#include "service/broker.h"

#include <utility>

#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/manual_time.h"
#include "service/base/timer_queue.h"
#include "service/engine/memory/memory_engine.h"
#include "service/rpc/admin_service.h"
#include "service/rpc/channelz_service.h"
#include "service/rpc/draining.h"
#include "service/rpc/health_service.h"
#include "service/rpc/leases.h"
#include "service/rpc/messaging_context.h"
#include "service/rpc/messaging_service.h"
#include "service/rpc/reflection_service.h"
#include "service/rpc/service_names.h"
#include "service/rpc/session_service.h"
#include "service/rpc/sessions.h"
#include "service/rpc/stream_registry.h"
#include "service/rpc/testing_service.h"
#include "service/rpc/topology_service.h"

namespace kelpmq::service {
namespace {

// They carry out timers and take over queues whose caller's share is used up;
// all else runs on the pollers.
constexpr int kExecutorThreads = 2;

// What calls that have been ended get to reach their clients.
constexpr absl::Duration kFinishGrace = absl::Seconds(1);

constexpr char kDefaultVhost[] = "/";

// What GetServerInfo announces.
std::vector<std::string> FeaturesOf(const BrokerOptions& options) {
  std::vector<std::string> features = {"deliver-time", "plugin-exchange-types",
                                       "policies", "vhost-limits"};
  if (options.manual_clock) features.push_back("manual-clock");
  if (options.strictness == Strictness::kRabbitMq43) {
    features.push_back("strict-rabbitmq-4.3");
  }
  return features;
}

MessagingContext MakeContext(const BrokerOptions& options, const Log* log,
                             Engine* engine, Sessions* sessions, Leases* leases,
                             StreamRegistry* streams, const Clock* clock,
                             TimerQueue* timers, const Clock* engine_clock,
                             TimerQueue* engine_timers) {
  MessagingContext context;
  context.log = log;
  context.engine = engine;
  context.sessions = sessions;
  context.leases = leases;
  context.streams = streams;
  context.clock = clock;
  context.timers = timers;
  context.engine_clock = engine_clock;
  context.engine_timers = engine_timers;
  context.limits = options.limits;
  context.strictness = options.strictness;
  context.default_vhost = kDefaultVhost;
  return context;
}

}  // namespace

// Each part uses those above it, so they are destroyed from the bottom up.
struct Broker::Parts {
  explicit Parts(const BrokerOptions& options)
      : log(options.log != nullptr ? options.log : &silence),
        manual_time(options.manual_clock
                        ? std::make_unique<ManualTime>(clock.Now(), &executor)
                        : nullptr),
        engine_clock(EngineClock(options)),
        engine_timers(EngineTimers(options)),
        engine(engine_clock, engine_timers, &executor),
        sessions(
            Sessions::Create({options.node_id, options.limits.max_sessions},
                             &engine, engine_clock, engine_timers)),
        leases(engine_clock),
        context(MakeContext(options, log, &engine, sessions.get(), &leases,
                            &streams, &clock, &timers, engine_clock,
                            engine_timers)),
        messaging(&context, {KELPMQ_VERSION, options.node_id, clock.Now(),
                             FeaturesOf(options)}),
        topology(&engine, sessions.get(), kDefaultVhost, options.strictness),
        session_service(sessions.get(), &streams, &clock, &timers,
                        kDefaultVhost),
        admin(&engine, sessions.get(), &streams, kDefaultVhost),
        testing(manual_time.get()) {
    timers.Start();
    messaging.Register(&methods);
    topology.Register(&methods);
    session_service.Register(&methods);
    admin.Register(&methods);
    testing.Register(&methods);
    const std::vector<std::string> names =
        ServedServiceNames(/*testing=*/manual_time != nullptr);
    RegisterHealth(names, &draining, &streams, &methods);
    RegisterReflection(names, &streams, &methods);
    RegisterChannelz(&methods);
  }

  const Clock* EngineClock(const BrokerOptions& options) const {
    if (options.engine_clock != nullptr) return options.engine_clock;
    return manual_time != nullptr ? manual_time->clock() : &clock;
  }
  TimerQueue* EngineTimers(const BrokerOptions& options) {
    if (options.engine_timers != nullptr) return options.engine_timers;
    return manual_time != nullptr ? manual_time->timers() : &timers;
  }

  const Log silence{};
  const Log* const log;
  RealClock clock;
  ThreadPoolExecutor executor{kExecutorThreads};
  TimerQueue timers{&clock, &executor};
  const std::unique_ptr<ManualTime> manual_time;
  const Clock* const engine_clock;
  TimerQueue* const engine_timers;
  Draining draining;
  StreamRegistry streams;
  MemoryEngine engine;
  std::shared_ptr<Sessions> sessions;
  Leases leases;
  MessagingContext context;
  MessagingService messaging;
  TopologyService topology;
  SessionService session_service;
  AdminService admin;
  TestingService testing;
  MethodTable methods;
  std::unique_ptr<Server> server;
};

absl::StatusOr<std::unique_ptr<Broker>> Broker::Start(BrokerOptions options) {
  options.server.max_request_bytes = options.limits.max_request_bytes();
  auto parts = std::make_unique<Parts>(options);
  auto server =
      Server::Start(options.server, &parts->methods, &parts->draining);
  if (!server.ok()) return server.status();
  parts->server = *std::move(server);
  return std::unique_ptr<Broker>(new Broker(std::move(parts)));
}

Broker::Broker(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Broker::~Broker() { Stop(); }

const std::vector<std::string>& Broker::addresses() const {
  return parts_->server->addresses();
}

void Broker::BeginDrain(absl::Duration timeout) {
  const absl::Time deadline = parts_->clock.Now() + timeout;
  parts_->draining.Start(deadline);
  parts_->streams.DrainAll(deadline);
}

bool Broker::drained() const {
  return parts_->streams.WaitedForCount() == 0 &&
         parts_->leases.live_count() == 0;
}

void Broker::Stop() {
  BeginDrain(absl::ZeroDuration());
  parts_->streams.EndAllForDrain();
  parts_->server->Stop(kFinishGrace);
  // Nothing begins anything any more but timers and what is posted already.
  parts_->timers.Stop();
  if (parts_->manual_time != nullptr) parts_->manual_time->Stop();
  parts_->executor.Stop();
}

}  // namespace kelpmq::service
