// `perf`.
#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/interrupt.h"
#include "service/cli/perf/load_options.h"
#include "service/cli/perf/load_run.h"
#include "service/cli/perf/report.h"
#include "service/cli/perf/soak.h"
#include "service/cli/perf/stamp.h"

namespace kelpmq::service::cli {
namespace {

using perf::LoadOptions;

constexpr char kNotes[] =
    "Each message carries a number and a checksum: what is lost, duplicated,\n"
    "reordered or damaged is counted, and makes the exit code 1. Latency is\n"
    "measured from the moment a message was due, so a stall counts for all\n"
    "that it held up (--rate). Exchange and queues are new ones, deleted at\n"
    "the end.";

constexpr char kLoadGroup[] = "Load";
constexpr char kRunGroup[] = "Run";
constexpr uint32_t kMaxStreams = 10'000;
constexpr uint32_t kMaxQueues = 1'000'000;
constexpr uint32_t kMaxBatch = 10'000;  // the broker's limit
constexpr uint32_t kMaxSize = 4'000'000;

struct PerfFlags {
  ClientFlags client;
  LoadOptions load;
  absl::Duration soak = absl::ZeroDuration();
};

absl::Status Check(const LoadOptions& load) {
  if (load.consumers == 0 && load.backlog > 0) {
    return MakeFailure(ExitCode::kUsage,
                       "--backlog is for consumers: give --messages instead");
  }
  return absl::OkStatus();
}

absl::Status Perf(const PerfFlags& flags, Connection* connection,
                  Output* output) {
  if (absl::Status status = Check(flags.load); !status.ok()) return status;
  const BlockedInterrupts blocked;
  std::atomic<bool> stop{false};
  const InterruptWatch watch(blocked, [&stop](int) { stop = true; });
  if (absl::Status status = connection->WaitForReady(); !status.ok()) {
    return status;
  }
  perf::LoadControl control;
  control.stop = &stop;
  if (output->shows_progress()) {
    control.on_progress = [output](const std::string& line) {
      output->ShowProgress(line);
    };
  }
  if (flags.soak > absl::ZeroDuration()) {
    return perf::RunSoak(flags.load, flags.soak, connection, output, control);
  }
  const absl::StatusOr<perf::LoadResult> result =
      perf::RunLoad(flags.load, connection, control);
  output->ClearProgress();
  if (!result.ok()) return result.status();
  if (output->json()) {
    output->PrintJson(perf::JsonOf(*result));
  } else {
    perf::PrintReport(*result, output);
  }
  if (result->correct()) return absl::OkStatus();
  return MakeFailure(
      ExitCode::kFailed,
      absl::StrCat(result->lost, " messages were lost, ", result->duplicated,
                   " duplicated, ", result->reordered, " reordered, ",
                   result->corrupt, " corrupt, ", result->failed, " refused"));
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
      ->check(CLI::NonNegativeNumber)
      ->group(kLoadGroup);
  command
      ->add_option("--exchange-type", load->exchange_type,
                   "direct, fanout (each message to every queue), topic or "
                   "headers")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"direct", "fanout", "topic", "headers"}))
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
      ->group(kRunGroup);
  AddDuration(command, "--warmup", &load->warmup,
              "Time before that (default 1)")
      ->group(kRunGroup);
  command
      ->add_option("--messages", load->messages,
                   "Measure until so many have gone through, instead of a "
                   "time")
      ->type_name("N")
      ->group(kRunGroup);
  command
      ->add_option("--backlog", load->backlog,
                   "Messages that are queued before the consumers start")
      ->type_name("N")
      ->group(kRunGroup);
  AddDuration(command, "--soak", &flags->soak,
              "Make loads of many kinds, one after the other, for so long")
      ->group(kRunGroup);
  command
      ->add_option("--server-pid", load->server_pid,
                   "The broker's process here, for its CPU and memory")
      ->type_name("PID")
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

void AddPerfCommand(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<PerfFlags>();
  CLI::App* command = AddCommand(
      app, "perf", "Measure how much goes through the broker, and how fast",
      {"kelpmq perf",
       "kelpmq perf --producers 4 --consumers 4 --size 1024 --seconds 30",
       "kelpmq perf --rate 5000 --batch 1          # latency at a given load",
       "kelpmq perf --exchange-type fanout --queues 10",
       "kelpmq perf --consumers 0 --messages 1000000 --server-pid $(pidof "
       "kelpmq)",
       "kelpmq perf --soak 8h --json"},
      kNotes);
  AddLoadOptions(command, &flags->load);
  AddRunOptions(command, flags.get());
  AddClientFlags(command, &flags->client);
  OnRun(command, std::move(flags), exit_code, &Perf);
}

}  // namespace kelpmq::service::cli
