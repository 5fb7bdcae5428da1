#include "service/cli/perf/perf_flags.h"

#include <cmath>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/cli/errors.h"
#include "service/cli/perf/process_usage.h"
#include "service/cli/perf/request_size.h"
#include "service/cli/perf/stamp.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli::perf {
namespace {

constexpr char kLoadGroup[] = "Load";
constexpr char kRunGroup[] = "Run";
constexpr uint32_t kMaxStreams = 10'000;
constexpr uint32_t kMaxQueues = 1'000'000;
constexpr uint32_t kMaxBatch = 10'000;  // the broker's limit
constexpr uint32_t kMaxSize = 4'000'000;
constexpr uint64_t kMaxMessages = 1'000'000'000'000;  // a stamp counts to 2^48
constexpr uint64_t kMaxPid = 1 << 22;                 // the kernel's limit

// Flags of which one would make the other do nothing.
struct Conflict {
  const char* flag;
  const char* other;
  const char* why;
};
constexpr char kNoTopology[] = "that queue is there, and nothing is declared";
constexpr char kOwnRounds[] = "its rounds have lengths of their own";
constexpr Conflict kConflicts[] = {
    {"--queues", "--use-queue", kNoTopology},
    {"--bindings", "--use-queue", kNoTopology},
    {"--exchange-type", "--use-queue", kNoTopology},
    {"--batch", "--unary", "a unary call carries one message"},
    {"--ack-batch", "--auto-ack", "nothing is acknowledged"},
    {"--seconds", "--soak", kOwnRounds},
    {"--warmup", "--soak", kOwnRounds},
    {"--messages", "--soak", kOwnRounds},
    {"--use-queue", "--soak", "its rounds declare queues of many kinds"},
};

CLI::Validator MessagesASecond() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        double rate = 0;
        if (absl::SimpleAtod(text, &rate) && std::isfinite(rate) && rate > 0) {
          return "";
        }
        return absl::StrCat("'", text,
                            "' is no number of messages a second above 0");
      },
      /*validator_desc=*/"");
}

void AddLoadOptions(CLI::App* command, LoadOptions* load) {
  const auto add = [command](const std::string& name, uint32_t* target,
                             uint64_t min, uint64_t max,
                             const std::string& text) {
    command->add_option(name, *target, text)
        ->type_name("N")
        ->check(WholeNumber(min, max))
        ->capture_default_str()
        ->group(kLoadGroup);
  };
  add("--producers", &load->producers, 1, kMaxStreams,
      "Streams that publish, each on a connection of its own");
  add("--consumers", &load->consumers, 0, kMaxStreams,
      "Streams that consume; 0: messages stay in their queues");
  add("--connections", &load->connections, 0, kMaxStreams,
      "Connections that the consumers share; 0: one for each");
  add("--queues", &load->queues, 1, kMaxQueues, "Queues to spread them over");
  add("--bindings", &load->bindings, 0, kMaxQueues,
      "Bindings of all queues together; 0: one for each");
  add("--size", &load->size, perf::kMinStampBytes, kMaxSize, "Bytes in a body");
  add("--batch", &load->batch, 1, kMaxBatch, "Messages in one request");
  add("--confirm-window", &load->confirm_window, 1, UINT32_MAX,
      "Messages of one producer that may be unconfirmed");
  add("--prefetch", &load->prefetch, 0, UINT32_MAX,
      "Messages of one consumer that may be unacked; 0: no limit");
  add("--ack-batch", &load->ack_batch, 1, UINT32_MAX,
      "Messages that are acknowledged together");
  command
      ->add_option("--rate", load->rate,
                   "Messages a second of all producers (default: as many as "
                   "go)")
      ->type_name("N")
      ->check(MessagesASecond())
      ->group(kLoadGroup);
  command
      ->add_option("--exchange-type", load->exchange_type,
                   "direct, fanout (each message to every queue), topic or "
                   "headers")
      ->type_name("TYPE")
      ->check(OneOf({"direct", "fanout", "topic", "headers"}).description(""))
      ->capture_default_str()
      ->group(kLoadGroup);
  command
      ->add_flag("--auto-ack", load->auto_ack,
                 "Consume without acknowledgements")
      ->group(kLoadGroup);
  command
      ->add_flag("--durable", load->durable,
                 "Durable queues and persistent messages")
      ->group(kLoadGroup);
  command
      ->add_flag("--unary", load->unary,
                 "Publish by unary calls, --confirm-window of them in flight")
      ->group(kLoadGroup);
}

void AddRunOptions(CLI::App* command, PerfFlags* flags) {
  LoadOptions* const load = &flags->load;
  AddDuration(command, "--seconds", &load->duration,
              "Time that is measured (default 10)")
      ->check(UpToAYear(Zero::kRefused))
      ->group(kRunGroup);
  AddDuration(command, "--warmup", &load->warmup,
              "Time before that (default 1)")
      ->check(UpToAYear(Zero::kAllowed))
      ->group(kRunGroup);
  command
      ->add_option("--messages", load->messages,
                   "Measure until so many have gone through; --seconds and "
                   "--warmup then do nothing")
      ->type_name("N")
      ->check(WholeNumber(1, kMaxMessages))
      ->group(kRunGroup);
  command
      ->add_option("--backlog", load->backlog,
                   "Messages that are queued before the consumers start")
      ->type_name("N")
      ->check(WholeNumber(0, kMaxMessages))
      ->group(kRunGroup);
  AddDuration(command, "--soak", &flags->soak,
              "Make loads of many kinds, one after the other, for so long")
      ->check(UpToAYear(Zero::kRefused))
      ->group(kRunGroup);
  command
      ->add_option("--server-pid", load->server_pid,
                   "The broker's process here, for its CPU and memory")
      ->type_name("PID")
      ->check(WholeNumber(1, kMaxPid))
      ->group(kRunGroup);
  command
      ->add_option("--use-queue", load->use_queue,
                   "Use this queue by the default exchange, and declare "
                   "nothing. Takes out what is in it: messages that are not "
                   "of this run count as strangers; what the queue refuses "
                   "since it is full is counted too")
      ->type_name("NAME")
      ->group(kRunGroup);
}

}  // namespace

void AddPerfFlags(CLI::App* command, PerfFlags* flags) {
  AddLoadOptions(command, &flags->load);
  AddRunOptions(command, flags);
}

absl::Status CheckPerfFlags(const CLI::App& command, const PerfFlags& flags) {
  for (const Conflict& conflict : kConflicts) {
    if (command.count(conflict.flag) > 0 && command.count(conflict.other) > 0) {
      return MakeFailure(ExitCode::kUsage,
                         absl::StrCat(conflict.flag, " does not go with ",
                                      conflict.other, ": ", conflict.why));
    }
  }
  const LoadOptions& load = flags.load;
  if (load.consumers == 0 && load.backlog > 0) {
    return MakeFailure(ExitCode::kUsage,
                       "--backlog is for consumers: give --messages instead");
  }
  if (load.server_pid != 0 && !CpuSecondsOf(load.server_pid).has_value()) {
    return MakeFailure(
        ExitCode::kUsage,
        absl::StrCat("--server-pid: there is no process ", load.server_pid,
                     " on this machine"),
        "leave it out for a broker elsewhere, or in a container");
  }
  return absl::OkStatus();
}

absl::Status FitBatch(const CLI::App& command, uint64_t max_request_bytes,
                      LoadOptions* load) {
  if (max_request_bytes == 0) return absl::OkStatus();
  const uint32_t largest = LargestBatch(load->size, max_request_bytes);
  if (largest == 0) {
    return MakeFailure(
        ExitCode::kUsage,
        absl::StrCat("a message of ", Grouped(load->size),
                     " bytes does not fit into a request, which may have ",
                     Grouped(max_request_bytes)),
        "give a smaller --size, or the broker a larger --max-message-bytes");
  }
  if (load->unary || load->batch <= largest) return absl::OkStatus();
  if (command.count("--batch") > 0) {
    return MakeFailure(
        ExitCode::kUsage,
        absl::StrCat(Count(load->batch, "message"), " of ", Grouped(load->size),
                     " bytes do not fit into a request, which may have ",
                     Grouped(max_request_bytes)),
        absl::StrCat("give at most --batch ", largest));
  }
  load->batch = largest;
  return absl::OkStatus();
}

}  // namespace kelpmq::service::cli::perf
