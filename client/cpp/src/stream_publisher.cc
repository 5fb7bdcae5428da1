#include "client/cpp/src/stream_publisher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/src/call_status.h"
#include "client/cpp/src/encode_publication.h"
#include "client/cpp/src/methods.h"
#include "client/cpp/src/wait_until.h"
#include "client/cpp/src/wire.h"
#include "kelpmq/error.h"

namespace kelpmq::client {
namespace {

using service::MutexLock;

absl::Status FullError() {
  return MakeError(absl::StatusCode::kResourceExhausted, kWindowFull,
                   "as many messages are unconfirmed as the publisher allows");
}

absl::Status ClosedError(absl::string_view what) {
  return MakeError(absl::StatusCode::kCancelled, kClosed,
                   absl::StrCat("the ", what, " was closed"));
}

PublishLedger::Limits LimitsOf(const PublisherOptions& options) {
  return {std::max<size_t>(options.max_unconfirmed_messages, 1),
          options.max_unconfirmed_bytes,
          std::max<size_t>(options.max_batch_messages, 1),
          options.max_batch_bytes,
          options.lost_confirms == PublisherOptions::LostConfirms::kResend};
}

}  // namespace

PublishStream::PublishStream(std::shared_ptr<ClientCore> core,
                             PublisherOptions options)
    : core_(std::move(core)),
      options_(std::move(options)),
      ledger_(LimitsOf(options_)) {}

void PublishStream::Open() {
  {
    MutexLock lock(&mu_);
    if (over_) return;
    epoch_ = core_->recovery().epoch();
    first_write_ = true;
    writable_ = false;
  }
  std::shared_ptr<StreamCall> stream = core_->connection().OpenStream(
      MessagingMethod("PublishStream"), shared_from_this());
  if (stream == nullptr) return End(ClosedError("client"));
  {
    MutexLock lock(&mu_);
    if (!over_) {
      stream_ = std::move(stream);
      return;
    }
  }
  stream->Cancel();  // closed meanwhile
}

absl::Status PublishStream::Publish(Publication& publication,
                                    ConfirmCallback& done, WhenFull when_full) {
  if (publication.message.ByteSizeLong() > core_->max_message_bytes()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "MESSAGE_TOO_LARGE",
                     absl::StrCat("message is larger than the broker's ",
                                  core_->max_message_bytes(), " bytes"),
                     406);
  }
  std::string encoded = EncodePublication(publication);
  Outgoing outgoing;
  {
    MutexLock lock(&mu_);
    const absl::Status status = AwaitRoom(encoded.size(), when_full);
    if (!status.ok()) return status;
    PublishLedger::Entry entry;
    entry.done = std::move(done);
    if (publication.mandatory && options_.on_return) {
      entry.returnable = std::make_unique<Publication>(std::move(publication));
    }
    ledger_.Add(std::move(encoded), std::move(entry));
    outgoing = NextOutgoing();
  }
  Send(std::move(outgoing));
  return absl::OkStatus();
}

absl::Status PublishStream::AwaitRoom(size_t bytes, WhenFull when_full) {
  // The polling thread is the one that would make room.
  const bool may_wait = when_full == WhenFull::kWait &&
                        !core_->connection().poller().IsCurrentThread();
  absl::Time deadline = absl::InfiniteFuture();
  if (may_wait && options_.max_wait != absl::InfiniteDuration()) {
    deadline = absl::Now() + options_.max_wait;
  }
  for (;;) {
    if (!end_.ok()) return end_;
    if (ledger_.HasRoom(bytes)) return absl::OkStatus();
    if (!may_wait || !WaitUntil(deadline, &changed_, &mu_)) return FullError();
  }
}

PublishStream::Outgoing PublishStream::NextOutgoing() {
  Outgoing next;
  if (!writable_ || stream_ == nullptr) return next;
  next.batch = ledger_.TakeBatch();
  if (next.batch.has_value()) {
    writable_ = false;
    next.stream = stream_;
    if (std::exchange(first_write_, false)) {
      v1::PublishStreamRequest header;
      header.set_vhost(core_->options().vhost);
      header.AppendToString(&*next.batch);
    }
  } else if (closing_ && !ledger_.has_unsent()) {
    next.stream = stream_;
  }
  return next;
}

void PublishStream::Send(Outgoing outgoing) {
  if (outgoing.stream == nullptr) return;
  if (outgoing.batch.has_value()) {
    outgoing.stream->Write(BufferOf(*std::move(outgoing.batch)));
  } else {
    outgoing.stream->Close();  // the broker confirms the rest, and ends it
  }
}

void PublishStream::Pump() {
  Outgoing outgoing;
  {
    MutexLock lock(&mu_);
    outgoing = NextOutgoing();
  }
  Send(std::move(outgoing));
}

void PublishStream::OnWritable() {
  {
    MutexLock lock(&mu_);
    writable_ = true;
  }
  Pump();
}

bool PublishStream::OnRead(const grpc::ByteBuffer& message) {
  core_->recovery().Progress();
  v1::PublishStreamResponse response;
  if (!Parse(message, &response)) return true;
  PublishLedger::Outcomes outcomes;
  {
    MutexLock lock(&mu_);
    outcomes = ledger_.OnResponse(response);
    telling_ = true;
    changed_.NotifyAll();
  }
  // First: the broker works on the next batch while callbacks run.
  Pump();
  TellFlow(response);
  Tell(std::move(outcomes));
  return true;
}

void PublishStream::OnDone(const absl::Status& status) {
  const bool comes_back = !core_->closed() && IsConnectionLoss(status);
  PublishLedger::Outcomes lost;
  uint64_t epoch = 0;
  bool end = !comes_back;
  {
    MutexLock lock(&mu_);
    stream_ = nullptr;
    writable_ = false;
    epoch = epoch_;
    if (abandoned_) end = true;
    if (!end) {
      lost = ledger_.OnStreamLost();
      telling_ = true;
      changed_.NotifyAll();
    }
    if (closing_ && ledger_.empty()) end = true;
  }
  Tell(std::move(lost));
  if (end) return End(core_->closed() ? ClosedError("client") : status);
  core_->recovery().AwaitNewer(
      epoch, status, [self = shared_from_this()](const absl::Status& resumed) {
        if (resumed.ok()) {
          self->Open();
        } else {
          self->End(resumed);
        }
      });
}

void PublishStream::End(const absl::Status& status) {
  PublishLedger::Outcomes outcomes;
  {
    MutexLock lock(&mu_);
    if (over_) return;
    if (end_.ok()) end_ = status;
    // A stream that ends well was closed.
    if (end_.ok()) end_ = ClosedError("publisher");
    outcomes = ledger_.GiveUp(end_);
  }
  Tell(std::move(outcomes));
  // Last: whoever waits for the end wants all callbacks to be over.
  MutexLock lock(&mu_);
  over_ = true;
  changed_.NotifyAll();
}

void PublishStream::Tell(PublishLedger::Outcomes outcomes) {
  for (PublishLedger::Outcome& outcome : outcomes) {
    if (outcome.entry.returnable != nullptr &&
        ReasonOf(outcome.status) == "NO_ROUTE") {
      options_.on_return(std::move(*outcome.entry.returnable), outcome.status);
    }
    outcome.entry.done(outcome.status);
  }
  MutexLock lock(&mu_);
  telling_ = false;
  changed_.NotifyAll();
}

void PublishStream::TellFlow(const v1::PublishStreamResponse& response) {
  using Kind = ClientEvent::Kind;
  if (response.has_flow()) {
    const bool blocked = response.flow().blocked();
    core_->Report({blocked ? Kind::kBlocked : Kind::kUnblocked,
                   blocked
                       ? absl::ResourceExhaustedError(response.flow().reason())
                       : absl::OkStatus(),
                   "", ""});
  }
  if (response.has_draining()) {
    core_->Report({Kind::kDraining,
                   absl::UnavailableError(response.draining().message()), "",
                   ""});
  }
}

absl::Status PublishStream::Flush(absl::Duration timeout) {
  if (core_->connection().poller().IsCurrentThread()) {
    return absl::FailedPreconditionError(
        "Flush on the polling thread would wait for itself");
  }
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(&mu_);
  while ((!ledger_.empty() || telling_) && !over_) {
    if (!WaitUntil(deadline, &changed_, &mu_)) {
      return absl::DeadlineExceededError(
          "not everything was confirmed in time");
    }
  }
  return absl::OkStatus();
}

void PublishStream::Close() {
  bool idle = false;
  {
    MutexLock lock(&mu_);
    if (over_) return;
    closing_ = true;
    if (end_.ok()) end_ = ClosedError("publisher");
    changed_.NotifyAll();  // those who wait for room
    // No callback is to run once it is closed.
    const bool may_wait = !core_->connection().poller().IsCurrentThread();
    while (may_wait && stream_ == nullptr && telling_) changed_.Wait(&mu_);
    idle = stream_ == nullptr && ledger_.empty();
  }
  if (idle) return End(ClosedError("publisher"));
  Pump();
  if (core_->connection().poller().IsCurrentThread()) return;

  const absl::Time deadline = absl::Now() + options_.close_timeout;
  std::shared_ptr<StreamCall> stream;
  {
    MutexLock lock(&mu_);
    while (!over_ && WaitUntil(deadline, &changed_, &mu_)) {
    }
    if (over_) return;
    abandoned_ = true;
    stream = stream_;
  }
  if (stream == nullptr) return End(ClosedError("publisher"));
  stream->Cancel();
  MutexLock lock(&mu_);
  while (!over_) changed_.Wait(&mu_);
}

}  // namespace kelpmq::client
