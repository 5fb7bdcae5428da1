#include "service/cli/perf/publisher.h"

#include <grpcpp/support/slice.h>

#include <algorithm>
#include <utility>

#include "kelpmq/v1/messaging.pb.h"
#include "service/base/wire_reader.h"
#include "service/cli/errors.h"
#include "service/cli/perf/contiguous.h"
#include "service/cli/perf/unary_calls.h"

namespace kelpmq::service::cli::perf {
namespace {

constexpr char kPublishStream[] = "/kelpmq.v1.MessagingService/PublishStream";
constexpr char kPublish[] = "/kelpmq.v1.MessagingService/Publish";

// kelpmq.v1.PublishStreamResponse and TagRange.
constexpr uint32_t kConfirmed = 1;
constexpr uint32_t kFailures = 2;
constexpr uint32_t kUnroutedCount = 3;
constexpr uint32_t kFirst = 1;
constexpr uint32_t kLast = 2;

}  // namespace

void Publisher::OnRefused(const absl::Status& status) {
  ++counters_->failed;
  if (!options_.use_queue.empty() && ReasonOf(status) == "QUEUE_FULL") return;
  counters_->first_failure.Update(status);
}

StreamPublisher::StreamPublisher(CallLoop* loop,
                                 std::shared_ptr<grpc::Channel> channel,
                                 const LoadOptions& options,
                                 MessageSource source, Counters* counters)
    : Publisher(options, std::move(source), counters),
      stream_(loop, std::move(channel), kPublishStream, this) {
  stream_.Start();
}

void StreamPublisher::Pump() {
  if (!stream_.writable()) return;
  const auto count =
      static_cast<uint32_t>(std::min<uint64_t>(options_.batch, remaining_));
  const int64_t now_ns = SteadyNanos();
  if (!MaySend(count, now_ns)) return;
  const int64_t due_ns = pacer_.DueAt(now_ns);
  stream_.Write(source_.NextBatch(count, due_ns));
  pacer_.Sent();
  remaining_ -= count;
  unconfirmed_ += count;
  counters_->published += count;
  in_flight_.push_back({count, due_ns, false});
}

void StreamPublisher::OnRead(const grpc::ByteBuffer& message) {
  const int64_t now_ns = SteadyNanos();
  const Contiguous bytes(message);
  WireReader reader(bytes.view());
  while (reader.Next()) {
    if (reader.Is(kConfirmed, WireReader::kBytes)) {
      uint64_t first = 0;
      uint64_t last = 0;
      WireReader range(reader.bytes());
      while (range.Next()) {
        if (range.Is(kFirst, WireReader::kVarint)) first = range.varint();
        if (range.Is(kLast, WireReader::kVarint)) last = range.varint();
      }
      OnConfirmed(first, last, now_ns);
    } else if (reader.Is(kFailures, WireReader::kBytes)) {
      OnFailure(reader.bytes());
    } else if (reader.Is(kUnroutedCount, WireReader::kVarint)) {
      counters_->unrouted += reader.varint();
    }
  }
  Pump();
}

void StreamPublisher::OnConfirmed(uint64_t first, uint64_t last,
                                  int64_t now_ns) {
  for (uint64_t sequence = std::max(first, first_sequence_);
       sequence <= last && sequence - first_sequence_ < in_flight_.size();
       ++sequence) {
    Sent& sent = in_flight_[sequence - first_sequence_];
    if (sent.confirmed) continue;
    sent.confirmed = true;
    unconfirmed_ -= sent.count;
    counters_->confirmed += sent.count;
    counters_->confirm_latency.Record(now_ns - sent.due_ns);
  }
  while (!in_flight_.empty() && in_flight_.front().confirmed) {
    in_flight_.pop_front();
    ++first_sequence_;
  }
}

void StreamPublisher::OnFailure(absl::string_view encoded) {
  --counters_->confirmed;  // its request counts as a whole
  v1::PublishFailure failure;
  if (failure.ParseFromArray(encoded.data(),
                             static_cast<int>(encoded.size()))) {
    OnRefused(StatusOfItem(failure.code(), failure.reason(), failure.message(),
                           static_cast<int>(failure.amqp_code())));
  } else {
    OnRefused(MakeFailure(ExitCode::kFailed, "a message was refused"));
  }
}

void StreamPublisher::OnOver(const absl::Status& status) {
  counters_->first_failure.Update(status);
  remaining_ = 0;
  unconfirmed_ = 0;
}

UnaryPublisher::UnaryPublisher(CallLoop* loop,
                               std::shared_ptr<grpc::Channel> channel,
                               absl::Duration timeout,
                               const LoadOptions& options, MessageSource source,
                               Counters* counters)
    : Publisher(options, std::move(source), counters),
      loop_(loop),
      channel_(std::move(channel)),
      timeout_(timeout) {}

void UnaryPublisher::Pump() {
  for (;;) {
    const int64_t now_ns = SteadyNanos();
    if (!MaySend(remaining_ > 0 ? 1 : 0, now_ns)) return;
    const int64_t due_ns = pacer_.DueAt(now_ns);
    pacer_.Sent();
    --remaining_;
    ++unconfirmed_;
    ++counters_->published;
    StartUnaryCall(loop_, channel_, kPublish, source_.NextMessage(due_ns),
                   timeout_,
                   [this, due_ns](const absl::Status& status,
                                  const grpc::ByteBuffer& /*response*/) {
                     --unconfirmed_;
                     if (status.ok()) {
                       ++counters_->confirmed;
                     } else {
                       OnRefused(status);
                     }
                     counters_->confirm_latency.Record(SteadyNanos() - due_ns);
                     Pump();
                   });
  }
}

}  // namespace kelpmq::service::cli::perf
