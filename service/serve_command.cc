#include "service/serve_command.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "service/audit_writer.h"
#include "service/base/clock.h"
#include "service/base/descriptor_log_sink.h"
#include "service/base/log.h"
#include "service/broker.h"
#include "service/cli/command.h"
#include "service/cli/output.h"
#include "service/http/http_server.h"
#include "service/process_end.h"
#include "service/program_pages.h"
#include "service/resources/memory_limit.h"
#include "service/rpc/listen_address.h"
#include "service/serve_security.h"
#include "service/service_manager.h"

namespace kelpmq::service {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitUsage = 64;        // EX_USAGE
constexpr int kExitUnavailable = 69;  // EX_UNAVAILABLE
constexpr int kExitInternal = 70;     // EX_SOFTWARE

// How often a drain looks whether all streams have ended.
constexpr absl::Duration kDrainPoll = absl::Milliseconds(10);

constexpr char kLimitsGroup[] = "Limits";
constexpr uint64_t kHighestIoThreads = 1024;
constexpr uint64_t kHighestProcessId = 1 << 22;  // Linux's own limit

constexpr char kFooter[] =
    "The broker listens on this machine only, keeps messages in memory, and\n"
    "prints one line when it is ready. SIGTERM lets open streams end first; a\n"
    "second one does not wait for them. Each option can also be set by the\n"
    "variable in brackets; one on the command line counts more.\n"
    "\n"
    "Examples:\n"
    "  kelpmq serve\n"
    "  kelpmq serve --listen 127.0.0.1:0\n"
    "  kelpmq serve --listen 127.0.0.1:50672 --listen unix:/run/kelpmq.sock\n"
    "  kelpmq serve --listen 0.0.0.0:50672 --tls-cert server.pem\n"
    "    --tls-key server.key --users-file users.json\n"
    "  kelpmq serve --listen 0.0.0.0:50672 --insecure-listen\n"
    "  kelpmq serve --listen unix:/run/kelpmq/kelpmq.sock --socket-mode 660\n"
    "  KELPMQ_LISTEN=unix:/tmp/kelpmq.sock kelpmq serve\n"
    "\n"
    "Exit codes:\n"
    "  0   stopped by a signal, after draining\n"
    "  64  the command line or the environment is wrong\n"
    "  69  an address cannot be listened on\n"
    "  70  anything else";

struct ServeFlags {
  BrokerOptions broker;
  std::string memory_mark = "60%";
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  bool insecure_listen = false;
  uint64_t exit_with_process = 0;  // none
  SecurityFlags security;
  absl::Duration drain_timeout = absl::Seconds(10);
};

// A number whose range, default and variable the help tells.
//   unit: what it counts, as the placeholder of its value.
template <typename Number>
CLI::Option* AddNumber(CLI::App* command, const std::string& flag,
                       Number* value, const std::string& unit, uint64_t lowest,
                       uint64_t highest, const std::string& description) {
  return WithEnvironment(
             command->add_option(
                 flag, *value,
                 absl::StrCat(description, "; ", lowest, " to ", highest)),
             flag)
      ->type_name(unit)
      ->capture_default_str()
      ->check(cli::WholeNumber(lowest, highest));
}

// Permission bits as chmod takes them, "660" or "0660".
std::string CheckPermissions(const std::string& text) {
  const bool octal =
      !text.empty() && text.find_first_not_of("01234567") == std::string::npos;
  if (octal && text.size() <= 4 && std::stoul(text, nullptr, 8) <= 0777) {
    return "";
  }
  return absl::StrCat("'", text, "' is no mode such as 0660");
}

void AddSocketMode(CLI::App* command, absl::optional<mode_t>* mode) {
  const std::string flag = "--socket-mode";
  WithEnvironment(
      command->add_option_function<std::string>(
          flag,
          [mode](const std::string& text) {
            *mode = static_cast<mode_t>(std::stoul(text, nullptr, 8));
          },
          "Permissions of Unix sockets; who may write may connect (default: "
          "what the umask leaves)"),
      flag)
      ->type_name("MODE")
      ->check(CLI::Validator(
          [](const std::string& text) { return CheckPermissions(text); }, ""));
}

void AddLimits(CLI::App* command, Limits* limits) {
  constexpr uint64_t kAnyCount = UINT32_MAX;
  const auto add = [command](const std::string& flag, auto* value,
                             const std::string& unit, uint64_t highest,
                             const std::string& description) {
    AddNumber(command, flag, value, unit, /*lowest=*/1, highest, description)
        ->group(kLimitsGroup);
  };
  add("--max-message-bytes", &limits->message.max_message_bytes, "BYTES",
      kHighestMessageBytes,
      "Largest message; clients must raise their own limits along with it");
  add("--max-header-bytes", &limits->message.max_header_bytes, "BYTES",
      kHighestHeaderBytes, "Largest properties and headers of a message");
  add("--max-batch-items", &limits->max_batch_items, "N", kHighestBatchItems,
      "Messages in one publish request");
  add("--max-unacked-per-stream", &limits->max_unacked_per_stream, "N",
      kHighestUnackedPerStream,
      "Unsettled deliveries of one stream, whatever its prefetch");
  add("--max-consumers-per-stream", &limits->max_consumers_per_stream, "N",
      kHighestConsumersPerStream, "Consumers of one stream");
  add("--max-sessions", &limits->max_sessions, "N", kAnyCount, "Open sessions");
  add("--max-get-leases", &limits->max_get_leases, "N", kAnyCount,
      "Replies to Get that wait for their acknowledgement");
  add("--max-unconfirmed-items", &limits->max_unconfirmed_items, "N", kAnyCount,
      "Unconfirmed messages before a publisher is held back");
  add("--max-unconfirmed-bytes", &limits->max_unconfirmed_bytes, "BYTES",
      uint64_t{1} << 40, "Unconfirmed bytes before a publisher is held back");
}

void AddMemoryFlags(CLI::App* command, ServeFlags* flags) {
  WithEnvironment(
      command->add_option("--memory-high-watermark", flags->memory_mark,
                          "Memory above which publishers are held back until "
                          "consumers have drained some: a share of what this "
                          "process may have (its container, its limits, the "
                          "machine), as 60%; an amount, as 512MiB; or none"),
      "--memory-high-watermark")
      ->type_name("AMOUNT")
      ->capture_default_str()
      ->check(CLI::Validator(
          [](const std::string& text) {
            return std::string(MemoryMark::Parse(text).status().message());
          },
          ""))
      ->group(kLimitsGroup);
}

void AddLogFlags(CLI::App* command, ServeFlags* flags) {
  WithEnvironment(
      command->add_option("--log-level", flags->log_level,
                          "What is written on standard error, from this level "
                          "up: debug, info, warning, error, none"),
      "--log-level")
      ->type_name("LEVEL")
      ->default_str("info")
      ->transform(CLI::CheckedTransformer(std::map<std::string, LogLevel>{
                                              {"debug", LogLevel::kDebug},
                                              {"info", LogLevel::kInfo},
                                              {"warning", LogLevel::kWarning},
                                              {"error", LogLevel::kError},
                                              {"none", LogLevel::kNone}})
                      .description(""));
  WithEnvironment(
      command->add_option("--log-format", flags->log_format,
                          "How it is written: text, or json, an object a line"),
      "--log-format")
      ->type_name("FORMAT")
      ->default_str("text")
      ->transform(CLI::CheckedTransformer(std::map<std::string, LogFormat>{
                                              {"text", LogFormat::kText},
                                              {"json", LogFormat::kJson}})
                      .description(""));
}

void AddFlags(CLI::App* command, ServeFlags* flags) {
  ServerOptions& server = flags->broker.server;
  WithEnvironment(
      cli::AddRepeatable(
          command, "--listen", &server.listen,
          "Where to listen: HOST:PORT, [IPV6]:PORT or unix:/PATH; several "
          "times, or with commas between. Port 0 takes a free one"),
      "--listen")
      ->type_name("ADDRESS")
      ->delimiter(',')
      ->default_str(absl::StrJoin(server.listen, ","));
  AddSocketMode(command, &server.socket_mode);
  WithEnvironment(
      command->add_flag("--insecure-listen", flags->insecure_listen,
                        "Allow addresses that other machines can reach, "
                        "though nothing is encrypted or nobody is asked who "
                        "they are"),
      "--insecure-listen");
  WithEnvironment(
      cli::AddRepeatable(command, "--http", &flags->broker.http,
                         "Where to serve /metrics, /healthz and /readyz, in "
                         "the open, as 127.0.0.1:50680; nowhere if unset"),
      "--http")
      ->type_name("ADDRESS")
      ->delimiter(',');
  AddSecurityFlags(command, &flags->security);
  AddNumber(command, "--io-threads", &server.io_threads, "N", 1,
            kHighestIoThreads,
            "Threads that serve connections; one for two cores is best");
  WithEnvironment(
      cli::AddDuration(command, "--drain-timeout", &flags->drain_timeout,
                       "After SIGTERM, how long open streams are still served: "
                       "10, 500ms, 1m"),
      "--drain-timeout")
      ->default_str("10s");
  WithEnvironment(command->add_option("--node-id", flags->broker.node_id,
                                      "Tells this broker from others behind "
                                      "the same balancer"),
                  "--node-id")
      ->type_name("NAME")
      ->capture_default_str();
  WithEnvironment(
      command->add_option("--strict-rabbitmq", flags->broker.strictness,
                          "Refuse what this version of RabbitMQ denies by "
                          "default: queues that are neither durable nor "
                          "exclusive, and prefetch of a whole stream. 4.3 is "
                          "known"),
      "--strict-rabbitmq")
      ->type_name("VERSION")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Strictness>{
                                              {"4.3", Strictness::kRabbitMq43}})
                      .description(""));
  WithEnvironment(
      command->add_flag("--manual-clock", flags->broker.manual_clock,
                        "For tests: time to live, delays, expiry and leases "
                        "stand still until AdvanceClock moves them"),
      "--manual-clock");
  AddLogFlags(command, flags);
  AddNumber(command, "--exit-with-process", &flags->exit_with_process, "PID", 0,
            kHighestProcessId,
            "Stop, as after SIGTERM, when this process has ended, however it "
            "did; 0 for none");
  AddMemoryFlags(command, flags);
  AddLimits(command, &flags->broker.limits);
}

std::string DefaultNodeId() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0) return "kelpmq";
  return absl::StrCat("kelpmq@", name);
}

int Fail(int exit_code, absl::string_view text, absl::string_view hint) {
  cli::FailureReport report;
  report.line = std::string(text);
  report.hint = std::string(hint);
  cli::Output(cli::OutputOptions()).Report(report);
  return exit_code;
}

int ExplainStartFailure(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return Fail(kExitUsage, status.message(), "see: kelpmq serve --help");
    case absl::StatusCode::kUnavailable:
      return Fail(kExitUnavailable, status.message(),
                  "stop what has the address, or choose another: kelpmq serve "
                  "--listen 127.0.0.1:50673");
    default:
      return Fail(kExitInternal, status.message(), "");
  }
}

// Without TLS and users, only this machine may get in unless that is wanted.
int CheckExposure(const ServeFlags& flags) {
  if (flags.insecure_listen) return kExitOk;
  const bool encrypted = flags.security.tls.wanted();
  if (encrypted && flags.security.asks_who_it_is()) return kExitOk;
  for (const std::string& address : flags.broker.server.listen) {
    const auto sockets = ResolveListenAddress(address);
    if (!sockets.ok()) return ExplainStartFailure(sockets.status());
    for (const ListenSocket& socket : *sockets) {
      if (socket.is_local) continue;
      return Fail(
          kExitUsage,
          absl::StrCat("other machines can reach ", socket.address,
                       encrypted
                           ? ", and nobody is asked who they are"
                           : ", and what they send and get is not encrypted"),
          absl::StrCat(encrypted ? "add --users-file or --tls-client-ca"
                                 : "add --tls-cert and --tls-key",
                       ", listen on 127.0.0.1:PORT or unix:/PATH, or, if that "
                       "is what you want, add --insecure-listen"));
    }
  }
  return kExitOk;
}

// gRPC, protobuf and libevent would write on standard error what is no news to
// whoever runs a broker: a client's bad bytes, a failure that is reported
// anyway. GRPC_VERBOSITY brings gRPC's lines back.
void SilenceLibraries() {
  google::protobuf::SetLogHandler(nullptr);
  SilenceHttpLibrary();
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {
    gpr_set_log_function([](gpr_log_func_args*) {});
  }
}

// SIGTERM and SIGINT, blocked in this thread and in all that it starts.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  void Wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
  }
  // Whether one came within `timeout`.
  bool WaitFor(absl::Duration timeout) const {
    const timespec spec = absl::ToTimespec(timeout);
    return sigtimedwait(&signals_, nullptr, &spec) > 0;
  }

 private:
  sigset_t signals_;
};

int Serve(ServeFlags flags, absl::Time process_start) {
  if (const int exposed = CheckExposure(flags); exposed != kExitOk) {
    return exposed;
  }
  ShareHeapUnderProcessLimits();
  if (absl::Status read = ReadSecurityFiles(flags.security, &flags.broker);
      !read.ok()) {
    return ExplainStartFailure(read);
  }
  SilenceLibraries();
  std::signal(SIGPIPE, SIG_IGN);  // whoever read our output may go
  const StopSignals stop;
  const RealClock clock;
  DescriptorLogSink standard_error(STDERR_FILENO);
  const Log log(flags.log_level, flags.log_format, &clock, &standard_error);
  flags.broker.log = &log;
  AuditWriter audit(&log);
  flags.broker.audit = &audit;
  // Its end is told to us by a SIGTERM, so that there is one way to stop.
  auto companion =
      ProcessEnd::Watch(static_cast<pid_t>(flags.exit_with_process),
                        [] { kill(getpid(), SIGTERM); });
  if (!companion.ok()) return ExplainStartFailure(companion.status());
  const auto mark = MemoryMark::Parse(flags.memory_mark);
  if (!mark.ok()) return ExplainStartFailure(mark.status());
  flags.broker.memory_high_watermark = *mark;
  auto started = Broker::Start(flags.broker);
  if (!started.ok()) return ExplainStartFailure(started.status());
  const std::unique_ptr<Broker> broker = *std::move(started);
  const std::string addresses = absl::StrJoin(broker->addresses(), ", ");
  const std::string http_addresses =
      absl::StrJoin(broker->http_addresses(), ", ");
  log.Info("broker started", {{"version", KELPMQ_VERSION},
                              {"node_id", flags.broker.node_id},
                              {"listen", addresses},
                              {"http", http_addresses}});
  std::printf("kelpmq %s ready on %s in %lld ms\n", KELPMQ_VERSION,
              addresses.c_str(),
              static_cast<long long>(  // NOLINT(google-runtime-int)
                  absl::ToInt64Milliseconds(absl::Now() - process_start)));
  std::fflush(stdout);
  NotifyServiceManager("READY=1");
  ReleaseProgramPages();

  stop.Wait();
  NotifyServiceManager("STOPPING=1");
  log.Info("broker draining",
           {{"timeout", absl::FormatDuration(flags.drain_timeout)}});
  const absl::Time deadline = absl::Now() + flags.drain_timeout;
  broker->BeginDrain(flags.drain_timeout);
  while (!broker->drained() && absl::Now() < deadline) {
    if (stop.WaitFor(kDrainPoll)) break;
  }
  const bool drained = broker->drained();
  broker->Stop();
  log.Info("broker stopped", {{"drained", drained}});
  return kExitOk;
}

}  // namespace

void AddServeCommand(CLI::App* app, absl::Time process_start, int* exit_code) {
  CLI::App* command =
      cli::AddCommand(app, "serve", "Run the broker until SIGTERM or Ctrl-C",
                      /*examples=*/{});  // the footer below has them
  command->footer(kFooter);
  auto flags = std::make_shared<ServeFlags>();
  flags->broker.node_id = DefaultNodeId();
  AddFlags(command, flags.get());
  command->callback([flags, process_start, exit_code] {
    *exit_code = Serve(*flags, process_start);
  });
}

}  // namespace kelpmq::service
