#include "service/serve_flags.h"

#include <sys/types.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "service/cli/command.h"

namespace kelpmq::service {
namespace {

constexpr char kLimitsGroup[] = "Limits";
constexpr uint64_t kHighestIoThreads = 1024;
constexpr uint64_t kHighestProcessId = 1 << 22;  // Linux's own limit

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
      ->transform(cli::OneOf<LogLevel>({{"debug", LogLevel::kDebug},
                                        {"info", LogLevel::kInfo},
                                        {"warning", LogLevel::kWarning},
                                        {"error", LogLevel::kError},
                                        {"none", LogLevel::kNone}}));
  WithEnvironment(
      command->add_option("--log-format", flags->log_format,
                          "How it is written: text, or json, an object a line"),
      "--log-format")
      ->type_name("FORMAT")
      ->default_str("text")
      ->transform(cli::OneOf<LogFormat>(
          {{"text", LogFormat::kText}, {"json", LogFormat::kJson}}));
}

}  // namespace

void AddServeFlags(CLI::App* command, ServeFlags* flags) {
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
      ->transform(cli::OneOf<Strictness>({{"4.3", Strictness::kRabbitMq43}}));
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

}  // namespace kelpmq::service
