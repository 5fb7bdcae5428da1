#ifndef KELPMQ_SERVICE_RPC_GRPC_STATUS_H_
#define KELPMQ_SERVICE_RPC_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kelpmq::service {

// An RPC's end as it goes over the wire.
struct RpcStatus {
  grpc::Status status;
  // Metadata after the last message, beside what is in the status.
  std::vector<std::pair<std::string, std::string>> trailers;
};

// A payload with this prefix before a message's type URL, holding the encoded
// message, becomes a status detail of its own (SettleFailures).
inline constexpr absl::string_view kDetailPayloadPrefix = "kelpmq/detail/";

// Turns a status of base/error.h into what clients see: code and text, a
// google.rpc.ErrorInfo with reason, AMQP code and metadata, a RetryInfo where
// trying again makes sense, and the trailers kelpmq-reason and
// kelpmq-amqp-code. Any other INTERNAL or UNKNOWN status becomes
// INTERNAL_ERROR; any other error keeps code and text and gets no details.
//
// Cut to stay under the 8 KiB of trailers beyond which gRPC clients see
// RESOURCE_EXHAUSTED instead: text, metadata values, then whole details.
RpcStatus ToRpcStatus(const absl::Status& status);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_GRPC_STATUS_H_
