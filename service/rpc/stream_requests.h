#ifndef KELPMQ_SERVICE_RPC_STREAM_REQUESTS_H_
#define KELPMQ_SERVICE_RPC_STREAM_REQUESTS_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kelpmq/v1/messaging.pb.h"
#include "service/rpc/delivery_tags.h"
#include "service/rpc/lease.h"

namespace kelpmq::service {

// Requests about deliveries as the service understands them, and its answers
// as the API has them.

// Messages that one get may ask for; more is clamped.
inline constexpr uint32_t kMaxGetMessages = 1000;
// Of a response, beside its deliveries.
inline constexpr size_t kResponseOverheadBytes = 256;

// StreamOptions with their defaults.
struct StreamSettings {
  uint32_t max_response_bytes = 4 * 1024 * 1024;
  uint32_t max_batch_messages = 256;
  uint32_t prefetch_count = 0;  // of the whole stream; 0: none
  uint64_t prefetch_bytes = 0;
  absl::Duration heartbeat_interval = absl::Seconds(30);
};
// INVALID_VALUE if a number is out of its range, INVALID_NAME if the vhost's
// name is too long.
absl::StatusOr<StreamSettings> ReadStreamOptions(
    const v1::StreamOptions& options);

// A Get lease's duration, or its default for 0. INVALID_VALUE if out of range.
absl::StatusOr<absl::Duration> ReadLeaseDuration(
    const google::protobuf::Duration& duration);

// v1.Settle, v1.AckRequest and v1.NackRequest name tags by the same fields.
template <typename Request>
TagSelection ReadTagSelection(const Request& request) {
  TagSelection selection;
  selection.tags.assign(request.delivery_tags().begin(),
                        request.delivery_tags().end());
  selection.ranges.reserve(request.ranges_size());
  for (const v1::TagRange& range : request.ranges()) {
    selection.ranges.push_back({range.first(), range.last()});
  }
  selection.up_to = request.up_to();
  selection.all = request.all();
  return selection;
}

// nullopt: unspecified, or unknown to this server.
std::optional<SettleAction> ReadSettleAction(v1::SettleAction action);

v1::SettleFailure ToProto(const TagFailure& failure);
v1::Settled ToProto(const SettleOutcome& outcome);
grpc::ByteBuffer EncodeSettled(v1::Settled settled);
grpc::ByteBuffer EncodeCreditDrained(uint32_t consumer_id,
                                     uint32_t unused_credit);

// The limit that lets a response with this delivery alone through.
inline uint64_t RequiredResponseBytes(uint64_t delivery_bytes) {
  return delivery_bytes + kResponseOverheadBytes;
}
// RESPONSE_TOO_SMALL with `required_bytes`.
absl::Status ResponseTooSmallError(uint64_t delivery_bytes);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_STREAM_REQUESTS_H_
