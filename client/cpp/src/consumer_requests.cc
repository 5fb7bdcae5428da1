#include "client/cpp/src/consumer_requests.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cpp/src/call_status.h"
#include "client/cpp/src/proto_time.h"
#include "kelpmq/error.h"

namespace kelpmq::client {
namespace {

constexpr int kPreconditionFailed = 406;

// "CANCEL_REASON_QUEUE_DELETED" -> "QUEUE_DELETED", one of the API's reasons.
std::string ReasonName(v1::CancelReason reason) {
  absl::string_view name = v1::CancelReason_Name(reason);
  absl::ConsumePrefix(&name, "CANCEL_REASON_");
  return std::string(name);
}

absl::StatusCode CodeOf(v1::CancelReason reason) {
  switch (reason) {
    case v1::CANCEL_REASON_CLIENT_REQUEST:
      return absl::StatusCode::kCancelled;
    case v1::CANCEL_REASON_QUEUE_DELETED:
    case v1::CANCEL_REASON_QUEUE_EXPIRED:
      return absl::StatusCode::kNotFound;
    case v1::CANCEL_REASON_ACCESS_REVOKED:
      return absl::StatusCode::kPermissionDenied;
    case v1::CANCEL_REASON_RESPONSE_TOO_SMALL:
      return absl::StatusCode::kResourceExhausted;
    case v1::CANCEL_REASON_UPSTREAM_LOST:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kAborted;
  }
}

}  // namespace

v1::ConsumeRequest StartRequest(const ConsumerOptions& options,
                                const std::string& vhost,
                                const std::string& session_id,
                                const std::string& queue) {
  v1::ConsumeRequest request;
  request.mutable_options()->set_vhost(vhost);
  request.mutable_options()->set_session_id(session_id);
  v1::ConsumerSpec* const start = request.mutable_start();
  if (options.temporary_queue.has_value()) {
    *start->mutable_temporary_queue() = *options.temporary_queue;
  } else {
    start->set_queue(queue);
  }
  start->set_consumer_tag(options.consumer_tag);
  start->set_auto_ack(options.auto_ack);
  start->set_exclusive(options.exclusive);
  if (options.prefetch_count.has_value()) {
    start->set_prefetch_count(*options.prefetch_count);
  }
  start->set_priority(options.priority);
  *start->mutable_arguments() = options.arguments;
  if (options.delivery_timeout.has_value()) {
    SetDuration(*options.delivery_timeout, start->mutable_delivery_timeout());
  }
  return request;
}

absl::Status StatusOf(const v1::ConsumerCancelled& cancelled,
                      const std::string& queue) {
  if (cancelled.has_error()) return StatusOf(cancelled.error());
  const std::string reason = ReasonName(cancelled.reason());
  return MakeError(CodeOf(cancelled.reason()), reason,
                   absl::StrCat("the broker cancelled the consumer of '", queue,
                                "': ", absl::AsciiStrToLower(reason)),
                   0, {{"queue", queue}});
}

absl::Status StatusOf(v1::LostReason reason) {
  switch (reason) {
    case v1::LOST_REASON_DELIVERY_TIMEOUT:
      return MakeError(absl::StatusCode::kFailedPrecondition, kDeliveryLost,
                       "not settled in time: requeued", kPreconditionFailed);
    case v1::LOST_REASON_QUEUE_DELETED:
      return MakeError(absl::StatusCode::kFailedPrecondition, kDeliveryLost,
                       "the queue was deleted", kPreconditionFailed);
    default:
      return MakeError(absl::StatusCode::kFailedPrecondition, kDeliveryLost,
                       "the broker took the delivery back",
                       kPreconditionFailed);
  }
}

absl::Status StatusOf(v1::SettleFailureReason reason) {
  switch (reason) {
    case v1::SETTLE_FAILURE_REASON_UNKNOWN_TAG:
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       "UNKNOWN_DELIVERY_TAG", "unknown delivery tag",
                       kPreconditionFailed);
    case v1::SETTLE_FAILURE_REASON_LOST:
      return MakeError(absl::StatusCode::kFailedPrecondition, kDeliveryLost,
                       "settled too late: the broker took the delivery back",
                       kPreconditionFailed);
    default:
      return absl::InternalError("the broker calls the settle invalid");
  }
}

}  // namespace kelpmq::client
