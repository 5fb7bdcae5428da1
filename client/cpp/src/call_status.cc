#include "client/cpp/src/call_status.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <map>
#include <string>

#include "absl/strings/numbers.h"
#include "kelpmq/error.h"
#include "kelpmq/internal/v1/rpc_status.pb.h"

namespace kelpmq::client {
namespace {

constexpr absl::string_view kErrorInfo =
    "type.googleapis.com/google.rpc.ErrorInfo";

std::string TrailerOf(const grpc::ClientContext& context, const char* name) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(name);
  if (found == trailers.end()) return "";
  return std::string(found->second.data(), found->second.size());
}

std::map<std::string, std::string> MetadataIn(const std::string& details) {
  std::map<std::string, std::string> metadata;
  internal::v1::Status parsed;
  if (!parsed.ParseFromString(details)) return metadata;
  for (const auto& detail : parsed.details()) {
    internal::v1::ErrorInfo info;
    if (detail.type_url() != kErrorInfo ||
        !info.ParseFromString(detail.value())) {
      continue;
    }
    metadata.insert(info.metadata().begin(), info.metadata().end());
  }
  return metadata;
}

absl::StatusCode CodeOf(int code) {
  return static_cast<absl::StatusCode>(code);
}

}  // namespace

absl::Status StatusOfCall(const grpc::Status& status,
                          const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  int amqp_code = 0;
  if (!absl::SimpleAtoi(TrailerOf(context, "kelpmq-amqp-code"), &amqp_code)) {
    amqp_code = 0;
  }
  return MakeError(CodeOf(status.error_code()),
                   TrailerOf(context, "kelpmq-reason"), status.error_message(),
                   amqp_code, MetadataIn(status.error_details()));
}

absl::Status StatusOf(const v1::PublishFailure& failure) {
  return MakeError(CodeOf(failure.code()), failure.reason(), failure.message(),
                   static_cast<int>(failure.amqp_code()));
}

absl::Status StatusOf(const v1::OperationError& error) {
  return MakeError(CodeOf(error.code()), error.reason(), error.message(),
                   static_cast<int>(error.amqp_code()),
                   {error.metadata().begin(), error.metadata().end()});
}

bool IsConnectionLoss(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return true;
    // A token that has expired is replaced by the next one.
    case absl::StatusCode::kUnauthenticated:
      return ReasonOf(status) == "TOKEN_EXPIRED";
    // Without a reason these come from the transport: a reset stream, a proxy.
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return ReasonOf(status).empty();
    default:
      return false;
  }
}

}  // namespace kelpmq::client
