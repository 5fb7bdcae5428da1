#ifndef KELPMQ_CLIENT_CPP_SRC_CALL_STATUS_H_
#define KELPMQ_CLIENT_CPP_SRC_CALL_STATUS_H_

#include "absl/status/status.h"
#include "kelpmq/v1/messaging.pb.h"

namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace kelpmq::client {

// How a finished call ended, with the broker's reason, AMQP code and metadata
// from its status details, or else from its trailers.
absl::Status StatusOfCall(const grpc::Status& status,
                          const grpc::ClientContext& context);

// Failures that the broker reports within a response.
absl::Status StatusOf(const v1::PublishFailure& failure);
absl::Status StatusOf(const v1::OperationError& error);

// Whether a stream that ended so is worth opening again: the connection or the
// broker went away, rather than the broker having refused something.
bool IsConnectionLoss(const absl::Status& status);

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_CALL_STATUS_H_
