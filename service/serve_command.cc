#include "service/serve_command.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
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
#include "service/serve_flags.h"
#include "service/serve_security.h"
#include "service/service_manager.h"
#include "service/stop_signals.h"

namespace kelpmq::service {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitUsage = 64;        // EX_USAGE
constexpr int kExitUnavailable = 69;  // EX_UNAVAILABLE
constexpr int kExitInternal = 70;     // EX_SOFTWARE

// How often a drain looks whether all streams have ended.
constexpr absl::Duration kDrainPoll = absl::Milliseconds(10);

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
  AddServeFlags(command, flags.get());
  command->callback([flags, process_start, exit_code] {
    *exit_code = Serve(*flags, process_start);
  });
}

}  // namespace kelpmq::service
