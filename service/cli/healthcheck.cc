// `healthcheck`: grpc.health.v1.Health/Check, written by hand because the
// service's stubs are not part of the gRPC library.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
// Probes run often and must not pile up.
constexpr absl::Duration kTimeout = absl::Seconds(3);
constexpr char kServiceTag = 0x0a;  // HealthCheckRequest.service, a string
constexpr char kStatusTag = 0x08;   // HealthCheckResponse.status, a varint
constexpr char kServing = 1;
constexpr size_t kMaxServiceBytes = 127;  // its length is one byte

struct HealthcheckFlags {
  ClientFlags client;
  std::string service;
};

grpc::ByteBuffer RequestFor(const std::string& service) {
  std::string bytes;
  if (!service.empty()) {
    bytes.push_back(kServiceTag);
    bytes.push_back(static_cast<char>(service.size()));
    bytes.append(service);
  }
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

bool IsServing(const grpc::ByteBuffer& response) {
  grpc::Slice slice;
  if (!response.DumpToSingleSlice(&slice).ok() || slice.size() < 2) {
    return false;
  }
  return slice.begin()[0] == kStatusTag && slice.begin()[1] == kServing;
}

absl::Status Check(const std::string& service, Connection* connection,
                   grpc::ByteBuffer* response) {
  grpc::ClientContext context;
  connection->SetDeadline(&context);
  grpc::CompletionQueue completions;
  grpc::GenericStub stub(connection->channel());
  const auto call = stub.PrepareUnaryCall(&context, kCheck, RequestFor(service),
                                          &completions);
  call->StartCall();
  grpc::Status status;
  call->Finish(response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  completions.Next(&tag, &ok);  // the deadline bounds it
  return connection->StatusOf(status, context);
}

absl::Status Healthcheck(const HealthcheckFlags& flags, Connection* connection,
                         Output* output) {
  if (flags.service.size() > kMaxServiceBytes) {
    return MakeFailure(ExitCode::kUsage, "no service has so long a name");
  }
  const std::string what =
      flags.service.empty()
          ? std::string("the broker")
          : absl::StrCat("service '", OneLine(flags.service), "'");
  grpc::ByteBuffer response;
  const absl::Status status = Check(flags.service, connection, &response);
  bool serving = status.ok() && IsServing(response);
  if (output->json() && (status.ok() || absl::IsNotFound(status))) {
    nlohmann::ordered_json json;
    json["service"] = flags.service;
    json["serving"] = serving;
    output->PrintJsonLine(json);
  }
  if (absl::IsNotFound(status)) {
    return MakeFailure(ExitCode::kFailed,
                       absl::StrCat(what, " is not known to the broker"),
                       "as in --service kelpmq.v1.MessagingService");
  }
  if (!status.ok()) return status;
  if (!serving) {
    return MakeFailure(ExitCode::kFailed, absl::StrCat(what, " is not serving"),
                       "it may be starting or stopping");
  }
  if (!output->json()) output->PrintLine("serving");
  return absl::OkStatus();
}

}  // namespace

void AddHealthcheckCommand(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<HealthcheckFlags>();
  flags->client.connection.timeout = kTimeout;
  CLI::App* command = AddCommand(
      app, "healthcheck",
      "Ask the broker whether it serves (grpc.health.v1); for probes",
      {"kelpmq healthcheck",
       "kelpmq healthcheck --service kelpmq.v1.MessagingService --timeout 1"},
      "Exit code 0: serving; 1: not serving; 69: no answer.");
  command
      ->add_option("--service", flags->service,
                   "Full name of one service; default: the broker as a whole")
      ->type_name("NAME");
  AddClientFlags(command, &flags->client, VhostFlag::kNo);
  OnRun(command, std::move(flags), exit_code, &Healthcheck);
}

}  // namespace kelpmq::service::cli
