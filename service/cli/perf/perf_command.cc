// `perf`.
#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/interrupt.h"
#include "service/cli/perf/load_run.h"
#include "service/cli/perf/perf_flags.h"
#include "service/cli/perf/report.h"
#include "service/cli/perf/soak.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

using perf::LoadControl;
using perf::LoadOptions;
using perf::PerfFlags;

constexpr char kNotes[] =
    "Each message carries a number and a checksum: what is lost, duplicated,\n"
    "reordered or damaged is counted, and makes the exit code 1. Latency is\n"
    "measured from the moment a message was due, so a stall counts for all\n"
    "that it held up (--rate).\n"
    "\n"
    "Exchange (p and three letters or digits) and queues (kelpmq-perf-...) "
    "are\n"
    "new ones, deleted at the end. A user who may not declare them gives\n"
    "--use-queue.\n"
    "\n"
    "Ctrl-C ends the measurement: the figures so far are printed once what is\n"
    "queued has come. Another one ends that wait.";

// What the broker takes in one request; 0 if it does not tell.
uint64_t MaxRequestBytes(Connection* connection) {
  v1::GetServerInfoResponse server;
  const absl::Status status = connection->Call(
      connection->messaging(), &v1::MessagingService::Stub::GetServerInfo,
      v1::GetServerInfoRequest(), &server);
  // If there is no broker, then the load's first call tells.
  return status.ok() ? server.limits().max_request_bytes() : 0;
}

absl::Status RunOne(const LoadOptions& load, Connection* connection,
                    Output* output, const LoadControl& control) {
  const absl::StatusOr<perf::LoadResult> result =
      perf::RunLoad(load, connection, control);
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
                   result->corrupt, " corrupt"));
}

absl::Status Perf(const CLI::App& command, const PerfFlags& flags,
                  const BlockedInterrupts& blocked, Connection* connection,
                  Output* output) {
  absl::Status status = perf::CheckPerfFlags(command, flags);
  if (!status.ok()) return status;
  std::atomic<int> interrupts{0};
  const InterruptWatch watch(blocked,
                             [&interrupts](int count) { interrupts = count; });
  status = connection->WaitForReady();
  if (!status.ok()) return status;
  LoadOptions load = flags.load;
  status = perf::FitBatch(command, MaxRequestBytes(connection), &load);
  if (!status.ok()) return status;
  if (load.batch < flags.load.batch) {
    output->Note(absl::StrCat("--batch is ", load.batch,
                              ": no more messages of ", Grouped(load.size),
                              " bytes fit into a request"));
  }
  LoadControl control;
  control.interrupts = &interrupts;
  if (output->shows_progress()) {
    control.on_progress = [output](const std::string& line) {
      output->ShowProgress(line);
    };
  }
  return flags.soak > absl::ZeroDuration()
             ? perf::RunSoak(load, flags.soak, connection, output, control)
             : RunOne(load, connection, output, control);
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
  perf::AddPerfFlags(command, flags.get());
  AddClientFlags(command, &flags->client);
  command->callback([command, flags, exit_code] {
    // Before the connection, whose threads inherit the mask.
    const BlockedInterrupts blocked;
    *exit_code = RunConnected(
        flags->client, [&](Connection* connection, Output* output) {
          return Perf(*command, *flags, blocked, connection, output);
        });
  });
}

}  // namespace kelpmq::service::cli
