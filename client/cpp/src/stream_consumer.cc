#include "client/cpp/src/stream_consumer.h"

#include <utility>

#include "absl/time/clock.h"
#include "client/cpp/src/call_status.h"
#include "client/cpp/src/consumer_requests.h"
#include "client/cpp/src/methods.h"
#include "client/cpp/src/wait_until.h"
#include "client/cpp/src/wire.h"
#include "kelpmq/error.h"

namespace kelpmq::client {
namespace {

using service::MutexLock;

// Deliveries that wait for the executor before the stream is left unread. Only
// auto_ack consumers, which prefetch does not bound, get there.
constexpr int kMaxQueued = 1000;

// Whose code runs on this thread, so that it can close its own consumer.
thread_local const ConsumeStream* running_here = nullptr;

absl::Status ClosedError(const char* message) {
  return MakeError(absl::StatusCode::kCancelled, kClosed, message);
}

absl::Status LostError() {
  return MakeError(absl::StatusCode::kFailedPrecondition, kDeliveryLost,
                   "the stream that the delivery came by is gone: it has been "
                   "requeued",
                   406);
}

// Settles what came by one stream.
class StreamSettler final : public Settler {
 public:
  StreamSettler(std::shared_ptr<ConsumeStream> consumer, uint64_t stream)
      : consumer_(std::move(consumer)), stream_(stream) {}
  absl::Status Settle(uint64_t tag, v1::SettleAction action) override {
    return consumer_->Settle(stream_, tag, action);
  }
  void Abandon(uint64_t tag) override {
    // If the stream is gone the broker has requeued it.
    consumer_->Settle(stream_, tag, v1::SETTLE_ACTION_REQUEUE).IgnoreError();
  }

 private:
  const std::shared_ptr<ConsumeStream> consumer_;
  const uint64_t stream_;
};

}  // namespace

ConsumeStream::ConsumeStream(std::shared_ptr<ClientCore> core,
                             ConsumerOptions options, DeliveryHandler handler)
    : core_(std::move(core)),
      options_(std::move(options)),
      handler_(std::move(handler)),
      queue_(options_.queue) {}

void ConsumeStream::Open() {
  const std::string queue = core_->topology().CurrentName(this->queue());
  v1::ConsumeRequest start = StartRequest(options_, core_->options().vhost,
                                          core_->session().id(), queue);
  {
    MutexLock lock(&mu_);
    if (over_) return;
    epoch_ = core_->recovery().epoch();
    ++number_;
    writable_ = paused_ = half_closed_ = false;
    start_ = std::move(start);
    queue_ = queue;
  }
  std::shared_ptr<StreamCall> stream = core_->connection().OpenStream(
      MessagingMethod("Consume"), shared_from_this());
  if (stream == nullptr) return End(ClosedError("the client was closed"));
  {
    MutexLock lock(&mu_);
    if (!over_) {
      stream_ = std::move(stream);
      if (!options_.auto_ack) {
        settler_ = std::make_shared<StreamSettler>(shared_from_this(), number_);
      }
      return;
    }
  }
  stream->Cancel();  // closed meanwhile
}

absl::Status ConsumeStream::AwaitStarted() {
  const absl::Time deadline = absl::Now() + core_->options().call_timeout;
  MutexLock lock(&mu_);
  while (!ever_started_ && !over_) {
    if (!WaitUntil(deadline, &changed_, &mu_)) {
      return absl::DeadlineExceededError(
          "the broker has not started the consumer in time");
    }
  }
  return end_;
}

absl::Status ConsumeStream::Settle(uint64_t stream, uint64_t tag,
                                   v1::SettleAction action) {
  {
    MutexLock lock(&mu_);
    if (stream != number_ || stream_ == nullptr || over_ || half_closed_) {
      return LostError();
    }
    settles_.Add(tag, action);
    if (!writable_) return absl::OkStatus();
  }
  Pump();
  return absl::OkStatus();
}

bool ConsumeStream::NextRequest(v1::ConsumeRequest* request) {
  if (start_.has_value()) {
    *request = *std::exchange(start_, std::nullopt);
    return true;
  }
  if (std::optional<v1::Settle> settle = settles_.Take()) {
    *request->mutable_settle() = *std::move(settle);
    return true;
  }
  if (ping_sent_ < ping_wanted_) {
    ping_sent_ = ping_wanted_;
    request->mutable_ping()->set_request_id(ping_sent_);
    return true;
  }
  if (wish_ == Wish::kCancel) {
    wish_ = Wish::kCancelSent;
    request->mutable_cancel();
    return true;
  }
  return false;
}

void ConsumeStream::Pump() {
  std::shared_ptr<StreamCall> stream;
  v1::ConsumeRequest request;
  bool write = false;
  {
    MutexLock lock(&mu_);
    if (!writable_ || stream_ == nullptr) return;
    write = NextRequest(&request);
    if (!write && !closing_) return;
    if (write) writable_ = false;
    half_closed_ = !write;
    stream = stream_;
  }
  if (write) {
    stream->Write(BufferOf(request));
  } else {
    stream->Close();  // the broker takes the settles, and ends it
  }
}

void ConsumeStream::OnWritable() {
  {
    MutexLock lock(&mu_);
    writable_ = true;
  }
  Pump();
}

bool ConsumeStream::OnRead(const grpc::ByteBuffer& message) {
  core_->recovery().Progress();
  v1::ConsumeResponse response;
  if (!Parse(message, &response)) return true;
  switch (response.event_case()) {
    case v1::ConsumeResponse::kDeliveries:
      return OnDeliveries(response.mutable_deliveries());
    case v1::ConsumeResponse::kStarted:
      OnStarted(response.started());
      break;
    case v1::ConsumeResponse::kCancelled:
      OnCancelled(response.cancelled());
      break;
    case v1::ConsumeResponse::kSettled:
      for (const v1::SettleFailure& failure : response.settled().failures()) {
        TellLost(failure.tags(), StatusOf(failure.reason()));
      }
      break;
    case v1::ConsumeResponse::kLost:
      for (const v1::TagRange& tags : response.lost().tags()) {
        TellLost(tags, StatusOf(response.lost().reason()));
      }
      break;
    case v1::ConsumeResponse::kHeartbeat: {
      MutexLock lock(&mu_);
      if (response.heartbeat().request_id() > ping_answered_) {
        ping_answered_ = response.heartbeat().request_id();
        changed_.NotifyAll();
      }
      break;
    }
    case v1::ConsumeResponse::kDraining:
      core_->Report({ClientEvent::Kind::kDraining,
                     absl::UnavailableError(response.draining().message()), "",
                     ""});
      break;
    default:  // Of later versions, or of what this client does not ask for.
      break;
  }
  return true;
}

void ConsumeStream::OnStarted(const v1::ConsumerStarted& started) {
  MutexLock lock(&mu_);
  ever_started_ = true;
  // A temporary queue's name, too.
  queue_ = started.queue();
  consumer_tag_ = started.consumer_tag();
  changed_.NotifyAll();
}

void ConsumeStream::OnCancelled(const v1::ConsumerCancelled& cancelled) {
  std::shared_ptr<StreamCall> stream;
  bool tell = false;
  absl::Status status;
  {
    MutexLock lock(&mu_);
    status = StatusOf(cancelled, queue_);
    if (end_.ok()) end_ = status;
    // Cancelled on request, it lives on for the settles that are to come.
    tell = cancelled.reason() != v1::CANCEL_REASON_CLIENT_REQUEST;
    if (tell && !ever_started_) {
      tell = false;  // Consume() returns it
      over_ = true;
    }
    changed_.NotifyAll();
  }
  if (!tell || !options_.on_cancelled) return;
  Run([this, &status] { options_.on_cancelled(status); });
}

bool ConsumeStream::OnDeliveries(v1::DeliveryBatch* batch) {
  std::shared_ptr<Settler> settler;
  {
    MutexLock lock(&mu_);
    settler = settler_;
    if (core_->options().executor) queued_ += batch->deliveries_size();
  }
  for (v1::Delivery& delivery : *batch->mutable_deliveries()) {
    Deliver(Delivery(std::move(delivery), settler));
  }
  MutexLock lock(&mu_);
  paused_ = queued_ > kMaxQueued && !closing_;
  return !paused_;
}

void ConsumeStream::Deliver(Delivery delivery) {
  const Executor& executor = core_->options().executor;
  if (!executor) {
    return Run([this, &delivery] { handler_(std::move(delivery)); });
  }
  executor(
      [self = shared_from_this(), delivery = std::move(delivery)]() mutable {
        self->Run([&] { self->handler_(std::move(delivery)); });
        std::shared_ptr<StreamCall> resumed;
        {
          MutexLock lock(&self->mu_);
          if (--self->queued_ <= kMaxQueued / 2 && self->paused_) {
            self->paused_ = false;
            resumed = self->stream_;
          }
        }
        if (resumed != nullptr) resumed->Resume();
      });
}

void ConsumeStream::TellLost(const v1::TagRange& tags,
                             const absl::Status& status) {
  if (!options_.on_lost) return;
  Run([&] { options_.on_lost(tags.first(), tags.last(), status); });
}

void ConsumeStream::Run(absl::AnyInvocable<void()> code) {
  {
    MutexLock lock(&mu_);
    if (closing_) return;
    ++running_;
  }
  const ConsumeStream* const outer = std::exchange(running_here, this);
  code();
  running_here = outer;
  MutexLock lock(&mu_);
  --running_;
  if (closing_) changed_.NotifyAll();
}

void ConsumeStream::OnDone(const absl::Status& status) {
  uint64_t epoch = 0;
  bool comes_back = !core_->closed() && IsConnectionLoss(status);
  {
    MutexLock lock(&mu_);
    stream_ = nullptr;
    settler_ = nullptr;
    writable_ = false;
    settles_.Clear();
    // A flush that waits has failed: nobody knows what was taken.
    ping_sent_ = ping_wanted_;
    epoch = epoch_;
    if (end_.ok() && wish_ != Wish::kConsume) {
      end_ = ClosedError("the consumer was cancelled");
    }
    if (closing_ || !ever_started_ || !end_.ok()) comes_back = false;
    changed_.NotifyAll();
  }
  if (!comes_back) {
    return End(core_->closed() ? ClosedError("the client was closed") : status);
  }
  core_->recovery().AwaitNewer(
      epoch, status, [self = shared_from_this()](const absl::Status& resumed) {
        if (resumed.ok()) {
          self->Open();
        } else {
          self->End(resumed);
        }
      });
}

void ConsumeStream::End(const absl::Status& status) {
  bool tell = false;
  absl::Status end;
  {
    MutexLock lock(&mu_);
    if (over_) return changed_.NotifyAll();
    tell = end_.ok() && ever_started_ && !core_->closed();
    if (end_.ok()) {
      end_ = status.ok() ? ClosedError("the consumer was closed") : status;
    }
    end = end_;
    over_ = true;
    changed_.NotifyAll();
  }
  if (tell && options_.on_cancelled) {
    Run([&] { options_.on_cancelled(end); });
  }
}

void ConsumeStream::Cancel() {
  {
    MutexLock lock(&mu_);
    if (wish_ == Wish::kConsume) wish_ = Wish::kCancel;
  }
  Pump();
}

absl::Status ConsumeStream::Flush(absl::Duration timeout) {
  if (core_->connection().poller().IsCurrentThread()) {
    return absl::FailedPreconditionError(
        "Flush on the polling thread would wait for itself");
  }
  const absl::Time deadline = absl::Now() + timeout;
  uint64_t ping = 0;
  uint64_t stream = 0;
  {
    MutexLock lock(&mu_);
    if (stream_ == nullptr) return LostError();
    ping = ++ping_wanted_;
    stream = number_;
  }
  Pump();
  MutexLock lock(&mu_);
  while (ping_answered_ < ping) {
    if (stream_ == nullptr || number_ != stream) return LostError();
    if (!WaitUntil(deadline, &changed_, &mu_)) {
      return absl::DeadlineExceededError(
          "the broker has not taken all settles in time");
    }
  }
  return absl::OkStatus();
}

void ConsumeStream::Close() {
  std::shared_ptr<StreamCall> resumed;
  {
    MutexLock lock(&mu_);
    closing_ = true;
    // The end is read, too. What comes before it is dropped.
    if (std::exchange(paused_, false)) resumed = stream_;
  }
  if (resumed != nullptr) resumed->Resume();
  Pump();
  const bool inside = running_here == this;
  const bool may_wait =
      !inside && !core_->connection().poller().IsCurrentThread();
  std::shared_ptr<StreamCall> stream;
  {
    MutexLock lock(&mu_);
    const absl::Time deadline = absl::Now() + options_.close_timeout;
    while (may_wait && stream_ != nullptr &&
           WaitUntil(deadline, &changed_, &mu_)) {
    }
    stream = stream_;
  }
  if (may_wait && stream != nullptr) stream->Cancel();
  MutexLock lock(&mu_);
  while (may_wait && stream_ != nullptr) changed_.Wait(&mu_);
  // With an executor, also on the polling thread: another one runs it.
  while (!inside && running_ > 0) changed_.Wait(&mu_);
  if (end_.ok()) end_ = ClosedError("the consumer was closed");
  over_ = over_ || stream_ == nullptr;
}

absl::Status ConsumeStream::status() const {
  MutexLock lock(&mu_);
  return end_;
}

std::string ConsumeStream::queue() const {
  MutexLock lock(&mu_);
  return queue_;
}

std::string ConsumeStream::consumer_tag() const {
  MutexLock lock(&mu_);
  return consumer_tag_;
}

}  // namespace kelpmq::client
