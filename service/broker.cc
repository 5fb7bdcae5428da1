#include "service/broker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/auth/authenticator.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/manual_time.h"
#include "service/base/timer_queue.h"
#include "service/engine/memory/memory_engine.h"
#include "service/http/http_server.h"
#include "service/observation.h"
#include "service/resources/memory_alarm.h"
#include "service/resources/memory_limit.h"
#include "service/resources/process_memory.h"
#include "service/rpc/admin_service.h"
#include "service/rpc/call_log.h"
#include "service/rpc/channelz_service.h"
#include "service/rpc/draining.h"
#include "service/rpc/health_service.h"
#include "service/rpc/leases.h"
#include "service/rpc/listen_address.h"
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

// One: a password takes much memory to hash, and attempts wait in line.
constexpr int kLoginThreads = 1;

// What calls that have been ended get to reach their clients.
constexpr absl::Duration kFinishGrace = absl::Seconds(1);

constexpr char kDefaultVhost[] = "/";

// What GetServerInfo announces.
std::vector<std::string> FeaturesOf(const BrokerOptions& options) {
  std::vector<std::string> features = {
      "definitions", "deliver-time", "plugin-exchange-types",
      "policies",    "users",        "vhost-limits"};
  if (options.manual_clock) features.push_back("manual-clock");
  if (options.strictness == Strictness::kRabbitMq43) {
    features.push_back("strict-rabbitmq-4.3");
  }
  return features;
}

MessagingContext MakeContext(const BrokerOptions& options, const Log* log,
                             MemoryAlarm* memory, Traffic* traffic,
                             Engine* engine, Sessions* sessions, Leases* leases,
                             StreamRegistry* streams, const Clock* clock,
                             TimerQueue* timers, const Clock* engine_clock,
                             TimerQueue* engine_timers) {
  MessagingContext context;
  context.log = log;
  context.memory = memory;
  context.traffic = traffic;
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

// What gRPC may hold of requests that are not read, which is mostly while the
// memory alarm is on: so it must fit above the mark.
size_t TransportBytes(uint64_t memory_limit, size_t max_request_bytes) {
  constexpr uint64_t kPart = 5;
  constexpr uint64_t kLeast = 16 * 1024 * 1024;
  return static_cast<size_t>(std::max<uint64_t>(
      {memory_limit / kPart, kLeast, 2 * max_request_bytes}));
}

// Of the executor, the timers and gRPC, roughly.
constexpr int kEarlierThreads = 10;

// The threads that serve, which are started last.
int ThreadsOf(const BrokerOptions& options) {
  return options.server.io_threads + (options.http.empty() ? 0 : 1);
}

MemoryAlarm::Marks FindMemoryMarks(const BrokerOptions& options,
                                   const Log& log) {
  const MemoryLimit limit =
      FindMemoryLimit(ReadMemorySurroundings(ThreadsOf(options)));
  const MemoryAlarm::Marks marks = {
      limit.bytes, options.memory_high_watermark.BytesOf(limit.bytes)};
  log.Info("memory limit found", {{"limit_bytes", limit.bytes},
                                  {"source", limit.source},
                                  {"high_watermark_bytes", marks.high_bytes}});
  return marks;
}

// The addresses to serve HTTP on.
absl::StatusOr<std::vector<HttpServer::Endpoint>> ResolveHttp(
    const std::vector<std::string>& addresses) {
  std::vector<HttpServer::Endpoint> endpoints;
  for (const std::string& address : addresses) {
    const auto sockets = ResolveListenAddress(address);
    if (!sockets.ok()) return sockets.status();
    for (const ListenSocket& socket : *sockets) {
      const size_t colon = socket.address.rfind(':');
      absl::string_view host =
          absl::string_view(socket.address).substr(0, colon);
      HttpServer::Endpoint endpoint;
      int port = 0;
      if (socket.is_unix ||
          !absl::SimpleAtoi(socket.address.substr(colon + 1), &port)) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", address, "' is no HOST:PORT for HTTP"));
      }
      absl::ConsumePrefix(&host, "[");
      absl::ConsumeSuffix(&host, "]");
      endpoint.host = std::string(host);
      endpoint.port = static_cast<uint16_t>(port);
      endpoints.push_back(std::move(endpoint));
    }
  }
  return endpoints;
}

}  // namespace

// Each part uses those above it, so they are destroyed from the bottom up.
struct Broker::Parts {
  explicit Parts(const BrokerOptions& options)
      : log(options.log != nullptr ? options.log : &SilentLog()),
        manual_time(options.manual_clock
                        ? std::make_unique<ManualTime>(clock.Now(), &executor)
                        : nullptr),
        engine_clock(EngineClock(options)),
        engine_timers(EngineTimers(options)),
        users(options.users != nullptr ? options.users
                                       : std::make_shared<UserStore>()),
        authenticator(users.get(), &clock, &login_executor, options.audit),
        engine(engine_clock, engine_timers, &executor),
        sessions(Sessions::Create(
            {options.node_id, options.limits.max_sessions, log}, &engine,
            engine_clock, engine_timers)),
        leases(engine_clock),
        memory(options.memory_source != nullptr ? options.memory_source
                                                : &process_memory,
               &clock, &timers, log, [this] { streams.AlarmChanged(); }),
        context(MakeContext(options, log, &memory, &traffic, &engine,
                            sessions.get(), &leases, &streams, &clock, &timers,
                            engine_clock, engine_timers)),
        messaging(&context, {KELPMQ_VERSION, options.node_id, clock.Now(),
                             FeaturesOf(options)}),
        topology(&engine, sessions.get(), kDefaultVhost, options.strictness),
        session_service(&engine, sessions.get(), &streams, &memory, &clock,
                        &timers, kDefaultVhost),
        definitions(&engine, users.get(),
                    [this] {
                      return std::make_unique<MemoryEngine>(
                          engine_clock, engine_timers, &executor);
                    }),
        admin({&engine, sessions.get(), &streams, users.get(), &definitions,
               &login_executor, options.audit},
              kDefaultVhost),
        testing(manual_time.get()) {
    timers.Start();
    EndStreamsOfExpiredTokens();
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
    calls = std::make_unique<CallLog>(methods, log);
  }

  // The pages for those who watch, and the server for them if it is wanted.
  absl::Status StartHttp(const BrokerOptions& options) {
    Observation::Sources sources;
    sources.engine = &engine;
    sources.sessions = sessions.get();
    sources.memory = &memory;
    sources.process = &process_memory;
    sources.traffic = &traffic;
    sources.calls = calls.get();
    sources.draining = &draining;
    sources.clock = &clock;
    sources.version = KELPMQ_VERSION;
    sources.node_id = options.node_id;
    sources.start_time = clock.Now();
    observation = std::make_unique<Observation>(std::move(sources));
    if (options.http.empty()) return absl::OkStatus();
    auto endpoints = ResolveHttp(options.http);
    if (!endpoints.ok()) return endpoints.status();
    auto started =
        HttpServer::Start(*endpoints, [this](const HttpRequest& request) {
          return observation->Handle(request);
        });
    if (!started.ok()) return started.status();
    http = *std::move(started);
    return absl::OkStatus();
  }

  const Clock* EngineClock(const BrokerOptions& options) const {
    if (options.engine_clock != nullptr) return options.engine_clock;
    return manual_time != nullptr ? manual_time->clock() : &clock;
  }
  TimerQueue* EngineTimers(const BrokerOptions& options) {
    if (options.engine_timers != nullptr) return options.engine_timers;
    return manual_time != nullptr ? manual_time->timers() : &timers;
  }

  // Streams outlive the check that let them in.
  void EndStreamsOfExpiredTokens() {
    for (const absl::Time expire_time : users->TokenExpiries()) {
      timers.Schedule(expire_time, [this] { streams.RecheckAccess(); });
    }
  }
  const Log* const log;
  RealClock clock;
  ThreadPoolExecutor executor{kExecutorThreads};
  TimerQueue timers{&clock, &executor};
  const std::unique_ptr<ManualTime> manual_time;
  const Clock* const engine_clock;
  TimerQueue* const engine_timers;
  Draining draining;
  StreamRegistry streams;
  ThreadPoolExecutor login_executor{kLoginThreads};
  const std::shared_ptr<UserStore> users;
  Authenticator authenticator;
  MemoryEngine engine;
  std::shared_ptr<Sessions> sessions;
  Leases leases;
  ProcessMemory process_memory;
  MemoryAlarm memory;
  Traffic traffic;
  MessagingContext context;
  MessagingService messaging;
  TopologyService topology;
  SessionService session_service;
  DefinitionsStore definitions;
  AdminService admin;
  TestingService testing;
  MethodTable methods;
  std::unique_ptr<CallLog> calls;  // once the methods are known
  std::unique_ptr<Server> server;
  std::unique_ptr<Observation> observation;
  std::unique_ptr<HttpServer> http;
};

absl::StatusOr<std::unique_ptr<Broker>> Broker::Start(BrokerOptions options) {
  options.server.max_request_bytes = options.limits.max_request_bytes();
  const MemorySurroundings early =
      ReadMemorySurroundings(kEarlierThreads + ThreadsOf(options));
  options.server.max_transport_bytes = TransportBytes(
      FindMemoryLimit(early).bytes, options.server.max_request_bytes);
  auto parts = std::make_unique<Parts>(options);
  if (!options.definitions.empty()) {
    auto imported = parts->definitions.Import(
        options.definitions, /*vhost=*/std::nullopt, /*validate_only=*/false);
    if (!imported.ok()) {
      return absl::InvalidArgumentError(imported.status().message());
    }
  }
  auto server =
      Server::Listen(options.server, &parts->methods, &parts->draining,
                     parts->calls.get(), &parts->authenticator);
  if (!server.ok()) return server.status();
  parts->server = *std::move(server);
  // Now that most threads are there: their stacks count against some limits.
  parts->memory.Begin(FindMemoryMarks(options, *parts->log));
  if (absl::Status http = parts->StartHttp(options); !http.ok()) return http;
  parts->server->Serve();
  parts->observation->set_serving();
  return std::unique_ptr<Broker>(new Broker(std::move(parts)));
}

Broker::Broker(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Broker::~Broker() { Stop(); }

const std::vector<std::string>& Broker::addresses() const {
  return parts_->server->addresses();
}

std::vector<std::string> Broker::http_addresses() const {
  return parts_->http == nullptr ? std::vector<std::string>()
                                 : parts_->http->addresses();
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
  parts_->login_executor.Stop();
  parts_->http.reset();
  // Nothing begins anything any more but timers and what is posted already.
  parts_->timers.Stop();
  if (parts_->manual_time != nullptr) parts_->manual_time->Stop();
  parts_->executor.Stop();
}

}  // namespace kelpmq::service
