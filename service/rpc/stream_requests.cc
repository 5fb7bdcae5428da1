#include "service/rpc/stream_requests.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/codec.h"
#include "service/rpc/convert.h"

namespace kelpmq::service {
namespace {

constexpr uint32_t kMinResponseBytes = 64 * 1024;
constexpr uint32_t kMaxBatchMessages = 1000;
constexpr absl::Duration kDefaultLeaseDuration = absl::Seconds(300);
constexpr absl::Duration kMinLeaseDuration = absl::Seconds(1);
constexpr absl::Duration kMaxLeaseDuration = absl::Hours(12);
constexpr absl::Duration kMinHeartbeatInterval = absl::Seconds(1);
constexpr absl::Duration kMaxHeartbeatInterval = absl::Minutes(10);

}  // namespace

absl::StatusOr<StreamSettings> ReadStreamOptions(
    const v1::StreamOptions& options) {
  absl::Status vhost = CheckName("vhost", options.vhost());
  if (!vhost.ok()) return vhost;
  StreamSettings settings;
  if (options.max_response_bytes() != 0) {
    if (options.max_response_bytes() < kMinResponseBytes) {
      return MakeError(
          Reason::kInvalidValue,
          absl::StrCat("max_response_bytes is ", options.max_response_bytes(),
                       "; at least ", kMinResponseBytes));
    }
    settings.max_response_bytes = options.max_response_bytes();
  }
  if (options.max_batch_messages() != 0) {
    settings.max_batch_messages =
        std::min(options.max_batch_messages(), kMaxBatchMessages);
  }
  settings.prefetch_count = options.prefetch_count();
  settings.prefetch_bytes = options.prefetch_bytes();
  absl::StatusOr<absl::Duration> heartbeat_interval =
      ToDuration("heartbeat_interval", options.heartbeat_interval(),
                 {settings.heartbeat_interval, kMinHeartbeatInterval,
                  kMaxHeartbeatInterval});
  if (!heartbeat_interval.ok()) return heartbeat_interval.status();
  settings.heartbeat_interval = *heartbeat_interval;
  return settings;
}

absl::StatusOr<absl::Duration> ReadLeaseDuration(
    const google::protobuf::Duration& duration) {
  return ToDuration(
      "lease_duration", duration,
      {kDefaultLeaseDuration, kMinLeaseDuration, kMaxLeaseDuration});
}

std::optional<SettleAction> ReadSettleAction(v1::SettleAction action) {
  switch (action) {
    case v1::SETTLE_ACTION_ACK:
      return SettleAction::kAck;
    case v1::SETTLE_ACTION_REQUEUE:
      return SettleAction::kRequeue;
    case v1::SETTLE_ACTION_DISCARD:
      return SettleAction::kDiscard;
    default:
      return std::nullopt;
  }
}

v1::SettleFailure ToProto(const TagFailure& failure) {
  v1::SettleFailure proto;
  proto.mutable_tags()->set_first(failure.tags.first);
  proto.mutable_tags()->set_last(failure.tags.last);
  proto.set_reason(static_cast<v1::SettleFailureReason>(failure.reason));
  return proto;
}

v1::Settled ToProto(const SettleOutcome& outcome) {
  v1::Settled settled;
  settled.set_settled_count(outcome.settled_count);
  settled.set_already_settled_count(outcome.already_settled_count);
  for (const TagFailure& failure : outcome.failures) {
    *settled.add_failures() = ToProto(failure);
  }
  return settled;
}

grpc::ByteBuffer EncodeSettled(v1::Settled settled) {
  v1::ConsumeResponse response;
  *response.mutable_settled() = std::move(settled);
  return Serialize(response);
}

grpc::ByteBuffer EncodeCreditDrained(uint32_t consumer_id,
                                     uint32_t unused_credit) {
  v1::ConsumeResponse response;
  response.mutable_credit_drained()->set_consumer_id(consumer_id);
  response.mutable_credit_drained()->set_unused_credit(unused_credit);
  return Serialize(response);
}

absl::Status ResponseTooSmallError(uint64_t delivery_bytes) {
  const uint64_t required_bytes = RequiredResponseBytes(delivery_bytes);
  return MakeError(
      Reason::kResponseTooSmall,
      absl::StrCat("the first message needs a response of ", required_bytes,
                   " bytes: allow more and ask again"),
      {{"required_bytes", absl::StrCat(required_bytes)}});
}

}  // namespace kelpmq::service
