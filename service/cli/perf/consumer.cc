#include "service/cli/perf/consumer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kelpmq/v1/messaging.pb.h"
#include "service/base/varint.h"
#include "service/base/wire_reader.h"
#include "service/cli/errors.h"
#include "service/cli/perf/contiguous.h"
#include "service/cli/perf/stamp.h"
#include "service/cli/perf/unary_calls.h"

namespace kelpmq::service::cli::perf {
namespace {

constexpr char kConsume[] = "/kelpmq.v1.MessagingService/Consume";

// kelpmq.v1.ConsumeResponse, DeliveryBatch, Delivery and Message.
constexpr uint32_t kDeliveries = 1;
constexpr uint32_t kSettled = 2;
constexpr uint32_t kStarted = 3;
constexpr uint32_t kCancelled = 4;
constexpr uint32_t kBatchDeliveries = 1;
constexpr uint32_t kDeliveryTag = 1;
constexpr uint32_t kDeliveryMessage = 2;
constexpr uint32_t kDeliveryRedelivered = 5;
constexpr uint32_t kDeliveryConsumerId = 6;
constexpr uint32_t kMessageBody = 1;

// kelpmq.v1.ConsumeRequest and Settle, as keys on the wire.
constexpr char kSettleKey = 1 << 3 | 2;
constexpr char kActionKey = 1 << 3;
constexpr char kUpToKey = 4 << 3;

grpc::ByteBuffer AckRequest(uint64_t up_to) {
  char bytes[5 + kMaxVarintSize] = {
      kSettleKey, static_cast<char>(3 + VarintSize(up_to)), kActionKey,
      v1::SETTLE_ACTION_ACK, kUpToKey};
  const char* const end = WriteVarint(bytes + 5, up_to);
  const grpc::Slice slice(bytes, static_cast<size_t>(end - bytes));
  return grpc::ByteBuffer(&slice, 1);
}

absl::string_view BodyOf(absl::string_view message) {
  absl::string_view body;
  WireReader reader(message);
  while (reader.Next()) {
    if (reader.Is(kMessageBody, WireReader::kBytes)) body = reader.bytes();
  }
  return body;
}

}  // namespace

Consumer::Consumer(CallLoop* loop, std::shared_ptr<grpc::Channel> channel,
                   const LoadOptions& options, const std::string& vhost,
                   const LoadTopology* topology, std::vector<uint32_t> queues,
                   Ledger* ledger, Counters* counters)
    : options_(options),
      vhost_(vhost),
      topology_(topology),
      ledger_(ledger),
      counters_(counters),
      // A batch that prefetch never lets gather would never be acknowledged.
      ack_batch_(options.prefetch == 0
                     ? options.ack_batch
                     : std::min(options.ack_batch, options.prefetch)),
      stream_(loop, std::move(channel), kConsume, this) {
  for (const uint32_t queue : queues) {
    Subscription subscription;
    subscription.queue = queue;
    subscription.meant_for = topology->meant_for(queue);
    subscription.last_sequence.resize(ledger->producers());
    subscriptions_.push_back(std::move(subscription));
  }
  stream_.Start();
}

grpc::ByteBuffer Consumer::StartRequest(size_t index) const {
  v1::ConsumeRequest request;
  if (index == 0) request.mutable_options()->set_vhost(vhost_);
  v1::ConsumerSpec* const start = request.mutable_start();
  start->set_queue(topology_->queue(subscriptions_[index].queue));
  start->set_prefetch_count(options_.prefetch);
  start->set_auto_ack(options_.auto_ack);
  start->set_consumer_id(static_cast<uint32_t>(index));
  return BufferOf(request.SerializeAsString());
}

void Consumer::OnWritable() {
  if (start_sent_ < subscriptions_.size()) {
    stream_.Write(StartRequest(start_sent_++));
    return;
  }
  AckIfDue();
}

void Consumer::OnRead(const grpc::ByteBuffer& message) {
  const int64_t now_ns = SteadyNanos();
  const Contiguous bytes(message);
  WireReader reader(bytes.view());
  while (reader.Next()) {
    if (reader.wire_type() != WireReader::kBytes) continue;
    if (reader.field() == kDeliveries) {
      WireReader batch(reader.bytes());
      while (batch.Next()) {
        if (batch.Is(kBatchDeliveries, WireReader::kBytes)) {
          OnDelivery(batch.bytes(), now_ns);
        }
      }
    } else if (reader.field() == kStarted) {
      ++started_;
    } else if (reader.field() == kCancelled) {
      OnCancelled(reader.bytes());
    } else if (reader.field() == kSettled) {
      OnSettled(reader.bytes());
    }
  }
  AckIfDue();
}

void Consumer::OnDelivery(absl::string_view encoded, int64_t now_ns) {
  absl::string_view message;
  uint64_t consumer_id = 0;
  bool redelivered = false;
  WireReader reader(encoded);
  while (reader.Next()) {
    if (reader.Is(kDeliveryTag, WireReader::kVarint)) {
      last_tag_ = reader.varint();
    } else if (reader.Is(kDeliveryMessage, WireReader::kBytes)) {
      message = reader.bytes();
    } else if (reader.Is(kDeliveryRedelivered, WireReader::kVarint)) {
      redelivered = reader.varint() != 0;
    } else if (reader.Is(kDeliveryConsumerId, WireReader::kVarint)) {
      consumer_id = reader.varint();
    }
  }
  ++unacked_;
  if (consumer_id >= subscriptions_.size()) return OnUnknown();
  Subscription& subscription = subscriptions_[consumer_id];
  const std::optional<Stamp> stamp =
      ReadStamp(BodyOf(message), subscription.meant_for);
  if (!stamp.has_value() || stamp->producer >= ledger_->producers()) {
    return OnUnknown();
  }
  ++counters_->consumed;
  if (redelivered) ++counters_->redelivered;
  if (stamp->sent_ns != 0) {
    counters_->delivery_latency.Record(now_ns - stamp->sent_ns);
  }
  const bool is_new =
      ledger_->At(subscription.queue, stamp->producer).Add(stamp->sequence);
  // A redelivery may have come before, and comes late.
  if (redelivered) return;
  uint64_t& last = subscription.last_sequence[stamp->producer];
  if (!is_new) {
    ++counters_->duplicated;
  } else if (stamp->sequence + 1 <= last && promises_order()) {
    ++counters_->reordered;
  }
  last = std::max(last, stamp->sequence + 1);
}

void Consumer::OnUnknown() {
  if (topology_->is_shared()) {
    // Were it one of ours, damaged, then that one would be missed as lost.
    ++counters_->strangers;
    ++unacked_strangers_;
    return;
  }
  ++counters_->consumed;
  ++counters_->corrupt;
}

void Consumer::OnCancelled(absl::string_view encoded) {
  v1::ConsumerCancelled cancelled;
  if (!cancelled.ParseFromArray(encoded.data(),
                                static_cast<int>(encoded.size()))) {
    return;
  }
  const v1::OperationError& error = cancelled.error();
  counters_->first_failure.Update(
      error.code() != 0
          ? StatusOfItem(error.code(), error.reason(), error.message(),
                         static_cast<int>(error.amqp_code()))
          : MakeFailure(
                ExitCode::kFailed,
                absl::StrCat("a consumer was cancelled: ",
                             v1::CancelReason_Name(cancelled.reason()))));
}

void Consumer::OnSettled(absl::string_view encoded) {
  // Unasked for, it tells of tags that could not be settled.
  v1::Settled settled;
  if (settled.ParseFromArray(encoded.data(),
                             static_cast<int>(encoded.size())) &&
      settled.failures_size() > 0) {
    counters_->first_failure.Update(
        MakeFailure(ExitCode::kFailed, "an acknowledgement failed"));
  }
}

void Consumer::AckIfDue() {
  if (unacked_ < ack_batch_ || unacked_ == 0) return;
  if (!options_.auto_ack) {
    if (!stream_.writable()) return;
    stream_.Write(AckRequest(last_tag_));
  }
  counters_->acked += unacked_ - unacked_strangers_;
  unacked_ = 0;
  unacked_strangers_ = 0;
}

void Consumer::Flush() {
  ack_batch_ = 1;
  AckIfDue();
}

void Consumer::OnOver(const absl::Status& status) {
  counters_->first_failure.Update(status);
}

}  // namespace kelpmq::service::cli::perf
