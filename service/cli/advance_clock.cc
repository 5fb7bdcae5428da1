// `advance-clock`.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "kelpmq/v1/testing.grpc.pb.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/timestamp.h"

namespace kelpmq::service::cli {
namespace {

struct AdvanceClockFlags {
  ClientFlags client;
  absl::Duration by;
};

absl::Status AdvanceClock(const AdvanceClockFlags& flags,
                          Connection* connection, Output* output) {
  v1::AdvanceClockRequest request;
  absl::Duration rest;
  request.mutable_by()->set_seconds(
      absl::IDivDuration(flags.by, absl::Seconds(1), &rest));
  request.mutable_by()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  v1::AdvanceClockResponse response;
  const auto stub = v1::TestingService::NewStub(connection->channel());
  const absl::Status status = connection->Call(
      stub.get(), &v1::TestingService::Stub::AdvanceClock, request, &response);
  if (ReasonOf(status) == "FEATURE_UNSUPPORTED") {
    return MakeFailure(ExitCode::kFailed,
                       "the clock of this broker cannot be moved",
                       "start one for tests: kelpmq serve --manual-clock");
  }
  if (!status.ok()) return status;
  const std::string time = absl::FormatTime(
      absl::RFC3339_full, TimeOf(response.current_time()), absl::UTCTimeZone());
  if (output->json()) {
    nlohmann::ordered_json json;
    json["current_time"] = time;
    output->PrintJson(json);
  } else {
    output->PrintLine(absl::StrCat("the broker's clock shows ", time));
  }
  return absl::OkStatus();
}

}  // namespace

void AddAdvanceClockCommand(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<AdvanceClockFlags>();
  CLI::App* command = AddCommand(
      app, "advance-clock",
      "Move the clock of a broker that was started with --manual-clock",
      {"kelpmq advance-clock 1m", "kelpmq advance-clock 0 --json"},
      "Answers when all that fell due has happened: time to live, delays, "
      "expiry.");
  AddDuration(command, "TIME", &flags->by,
              "How far, as 5, 500ms or 1m; 0 only tells the time")
      ->required();
  AddClientFlags(command, &flags->client, VhostFlag::kNo);
  OnRun(command, std::move(flags), exit_code, &AdvanceClock);
}

}  // namespace kelpmq::service::cli
