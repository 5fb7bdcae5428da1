#include "service/rpc/delivery_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/caller.h"
#include "service/rpc/convert.h"
#include "service/rpc/stream_errors.h"
#include "service/rpc/stream_requests.h"

namespace kelpmq::service {
namespace {

// Replies that may wait unwritten before the client is no longer read.
constexpr size_t kMaxUnwrittenReplies = 1000;

// What gathers while a response is being written.
constexpr uint32_t kOutboxMessages = 256;
constexpr size_t kOutboxBytes = 256 * 1024;

}  // namespace

std::shared_ptr<DeliveryStream> DeliveryStream::Create(
    const MessagingContext* context, CallRef call,
    std::unique_ptr<DeliveryFraming> framing, std::function<void()> read_more) {
  std::shared_ptr<DeliveryStream> stream(new DeliveryStream(
      context, std::move(call), std::move(framing), std::move(read_more)));
  // The lease is known to others longer than the stream lives.
  std::weak_ptr<DeliveryStream> weak = stream;
  Lease::Hooks hooks;
  hooks.on_taken = [weak](const std::vector<DeliveryTags::Out>& outs) {
    auto self = weak.lock();
    return self == nullptr ? std::vector<ConsumerKey>()
                           : self->window_->Settled(outs);
  };
  hooks.wake = [weak](const std::vector<ConsumerKey>& keys) {
    if (auto self = weak.lock()) self->Wake(keys);
  };
  stream->lease_->set_hooks(std::move(hooks));
  return stream;
}

DeliveryStream::DeliveryStream(const MessagingContext* context, CallRef call,
                               std::unique_ptr<DeliveryFraming> framing,
                               std::function<void()> read_more)
    : context_(context),
      call_(std::move(call)),
      framing_(std::move(framing)),
      read_more_(std::move(read_more)),
      lease_(std::make_shared<Lease>(Leases::NewId(), context->engine)),
      login_(call_->login()) {
  lease_->set_user(UserOf(login_));
}

absl::Status DeliveryStream::Open(const v1::StreamOptions& options) {
  // The session's end, or the server's, may come as soon as they know of the
  // stream: it waits until all is in place.
  const std::optional<Barrier::Ticket> ticket = Begin();
  absl::Status bound = Bind(options);
  Finished(*ticket);
  return bound;
}

absl::Status DeliveryStream::Bind(const v1::StreamOptions& options) {
  absl::StatusOr<StreamSettings> settings = ReadStreamOptions(options);
  // Even a stream that fails at once needs these to end in order.
  max_response_bytes_ = StreamSettings().max_response_bytes;
  StreamWindow::Limits limits;
  limits.max_unsettled = context_->limits.max_unacked_per_stream;
  limits.max_outbox_messages = kOutboxMessages;
  limits.max_outbox_bytes = kOutboxBytes;
  if (settings.ok() &&
      (settings->prefetch_count > 0 || settings->prefetch_bytes > 0)) {
    absl::Status permitted = CheckStreamPrefetch(context_->strictness);
    if (!permitted.ok()) settings = std::move(permitted);
  }
  if (settings.ok()) {
    limits.prefetch_count = settings->prefetch_count;
    limits.prefetch_bytes = settings->prefetch_bytes;
    limits.max_outbox_messages = settings->max_batch_messages;
    max_response_bytes_ = settings->max_response_bytes;
    max_batch_messages_ = settings->max_batch_messages;
    heartbeat_interval_ = settings->heartbeat_interval;
  }
  // The limit is of the whole response, and a batch of one is not cut.
  max_batch_bytes_ = std::min<size_t>(
      kOutboxBytes, max_response_bytes_ - kResponseOverheadBytes);
  window_ = std::make_unique<StreamWindow>(limits);
  if (!settings.ok()) return settings.status();

  if (options.session_id().empty()) {
    vhost_ = context_->VhostOrDefault(options.vhost());
    owner_ = context_->sessions->NewOwner();
  } else {
    absl::Status own =
        context_->sessions->CheckUser(options.session_id(), login_);
    if (!own.ok()) return own;
    absl::StatusOr<Sessions::Attachment> session = context_->sessions->Attach(
        options.session_id(), weak_from_this(), SessionUse::kStream);
    if (!session.ok()) return session.status();
    session_ = *std::move(session);
    vhost_ = session_.session().vhost;
    owner_ = session_.session().owner;
    client_name_ = session_.session().client_name;
    if (!options.vhost().empty() && options.vhost() != vhost_) {
      return MakeError(Reason::kVhostMismatch,
                       absl::StrCat("the session is in vhost '", vhost_,
                                    "', not '", options.vhost(), "'"),
                       {{"vhost", vhost_}});
    }
  }
  context_->leases->Add(lease_, Leases::Kind::kStream);
  {
    MutexLock lock(&lease_->mu());
    registered_ = true;
    last_write_ = context_->clock->Now();
  }
  context_->streams->Add(shared_from_this());
  // From here on a vhost that is deleted ends the stream; before, this sees it.
  if (absl::Status known = context_->engine->CheckVhost(vhost_); !known.ok()) {
    return known;
  }
  // So does a change of what the user may do.
  access_ = VhostAccess(login_, vhost_);
  absl::Status access = CheckStreamAccess(*context_->engine, login_, vhost_,
                                          context_->clock->Now());
  if (!access.ok()) return access;
  ScheduleHeartbeat(context_->clock->Now() + heartbeat_interval_);
  return absl::OkStatus();
}

std::optional<Barrier::Ticket> DeliveryStream::Begin() {
  MutexLock lock(&lease_->mu());
  if (state_ != State::kOpen) return std::nullopt;
  return barrier_.Begin();
}

void DeliveryStream::Finished(Barrier::Ticket ticket) {
  std::vector<uint64_t> pings;
  {
    MutexLock lock(&lease_->mu());
    pings = barrier_.End(ticket);
    for (uint64_t request_id : pings) {
      outbox_.AddReply(framing_->Heartbeat(request_id));
    }
  }
  Pump();
  ReleaseIfQuiet();
}

void DeliveryStream::Ping(uint64_t request_id) {
  {
    MutexLock lock(&lease_->mu());
    for (uint64_t answered : barrier_.Ping(request_id)) {
      outbox_.AddReply(framing_->Heartbeat(answered));
    }
  }
  Pump();
}

void DeliveryStream::AddReply(grpc::ByteBuffer reply,
                              std::vector<uint64_t> ack_tags) {
  {
    MutexLock lock(&lease_->mu());
    outbox_.AddReply(std::move(reply), std::move(ack_tags));
  }
  Pump();
}

bool DeliveryStream::HoldReads() {
  MutexLock lock(&lease_->mu());
  reads_held_ = TooMuchWaits();
  return reads_held_;
}

bool DeliveryStream::TooMuchWaits() const {
  return start_waits_ ||
         outbox_.reply_count() + barrier_.size() > kMaxUnwrittenReplies;
}

// ---- Deliveries ----

uint32_t DeliveryStream::Reserve(uint32_t consumer_key, size_t bytes,
                                 uint32_t wanted) {
  return window_->Reserve(consumer_key, bytes, wanted);
}

void DeliveryStream::GiveBack(uint32_t consumer_key, uint32_t count,
                              size_t bytes) {
  Wake(window_->GiveBack(consumer_key, count, bytes));
}

void DeliveryStream::Deliver(uint32_t consumer_key,
                             std::vector<Delivery> deliveries) {
  {
    MutexLock lock(&lease_->mu());
    auto it = consumers_.find(consumer_key);
    // Delivered on the strand, after it was started and before it ended.
    if (it == consumers_.end()) return;
    const Consumer& consumer = it->second;
    uint64_t tag = lease_->Issue(consumer.ref.queue, consumer_key, deliveries);
    std::vector<TaggedDelivery> tagged;
    tagged.reserve(deliveries.size());
    for (Delivery& delivery : deliveries) {
      tagged.push_back(
          {tag++, consumer.consumer_id, consumer_key, std::move(delivery)});
    }
    outbox_.AddDeliveries(std::move(tagged));
  }
  Pump();
}

void DeliveryStream::DeliveriesLost(const QueueRef& queue,
                                    absl::Span<const uint64_t> delivery_ids,
                                    LostReason reason) {
  const std::vector<TagSpan> tags = lease_->MarkLost(queue, delivery_ids);
  if (tags.empty()) return;
  v1::DeliveriesLost lost;
  for (const TagSpan& span : tags) {
    v1::TagRange* range = lost.add_tags();
    range->set_first(span.first);
    range->set_last(span.last);
  }
  lost.set_reason(static_cast<v1::LostReason>(reason));
  AddReply(framing_->Lost(std::move(lost)));
}

void DeliveryStream::Wake(const std::vector<ConsumerKey>& keys) {
  if (keys.empty()) return;
  std::vector<ConsumerRef> refs;
  {
    MutexLock lock(&lease_->mu());
    for (ConsumerKey key : keys) {
      auto it = consumers_.find(key);
      if (it == consumers_.end()) continue;
      if (it->second.ref.queue == nullptr) {
        it->second.resume_when_started = true;
      } else {
        refs.push_back(it->second.ref);
      }
    }
  }
  if (!refs.empty()) context_->engine->Resume(std::move(refs));
}

// ---- Writing ----

void DeliveryStream::Pump() {
  Outbox::Response response;
  absl::Status end;
  bool write = false;
  bool finish = false;
  bool read;
  {
    MutexLock lock(&lease_->mu());
    if (!writing_ && !outbox_.empty() && state_ != State::kFinished) {
      response = outbox_.Next(max_batch_messages_, max_batch_bytes_);
      writing_ = write = true;
      last_write_ = context_->clock->Now();
    } else if (!writing_ && state_ == State::kReleased) {
      state_ = State::kFinished;
      finish = true;
      end = end_;
    }
    // What held the reads may be operations, which end without a word.
    read = reads_held_ && state_ == State::kOpen && !TooMuchWaits();
    if (read) reads_held_ = false;
  }
  if (write) Write(std::move(response));
  if (finish) call_->Finish(std::move(end));
  if (read) read_more_();
}

void DeliveryStream::Write(Outbox::Response response) {
  if (response.deliveries.empty()) {
    call_->Write(std::move(response.reply));
    if (!response.ack_tags.empty()) lease_->AckQuietly(response.ack_tags);
    return;
  }
  const std::vector<TaggedDelivery>& tagged = response.deliveries;
  std::vector<uint64_t> auto_acked;
  size_t bytes = 0;
  uint64_t redelivered = 0;
  for (const TaggedDelivery& delivery : tagged) {
    bytes += EncodedDeliveryBytes(*delivery.delivery.message);
    if (delivery.delivery.delivery_count > 0) ++redelivered;
    if (IsAutoAck(delivery.consumer_key)) auto_acked.push_back(delivery.tag);
  }
  call_->Write(framing_->Deliveries(tagged));
  context_->traffic->delivered_auto_ack.Add(auto_acked.size());
  context_->traffic->delivered_manual_ack.Add(tagged.size() -
                                              auto_acked.size());
  context_->traffic->redelivered.Add(redelivered);
  // What is handed to the transport counts as taken by an auto_ack consumer,
  // and makes room for the next batch to gather.
  if (!auto_acked.empty()) lease_->AckQuietly(auto_acked);
  Wake(window_->Written(static_cast<uint32_t>(tagged.size()), bytes));
}

void DeliveryStream::OnWriteDone(bool ok) {
  {
    MutexLock lock(&lease_->mu());
    writing_ = false;
    if (!ok) outbox_.Clear();
  }
  if (!ok) {
    End(absl::CancelledError("the client has gone"));
    return;
  }
  Pump();
}

void DeliveryStream::ScheduleHeartbeat(absl::Time when) {
  const TimerQueue::TimerId timer =
      context_->timers->Schedule(when, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->OnHeartbeatTimer();
      });
  MutexLock lock(&lease_->mu());
  heartbeat_timer_ = timer;
}

void DeliveryStream::OnHeartbeatTimer() {
  const absl::Time now = context_->clock->Now();
  absl::Time next;
  {
    MutexLock lock(&lease_->mu());
    if (state_ != State::kOpen) return;
    if (now - last_write_ >= heartbeat_interval_) {
      // A write that does not get through says nothing new by being followed.
      if (!writing_) outbox_.AddReply(framing_->Heartbeat(0));
      next = now + heartbeat_interval_;
    } else {
      next = last_write_ + heartbeat_interval_;
    }
  }
  Pump();
  ScheduleHeartbeat(next);
}

// ---- Settle and get ----

void DeliveryStream::Settle(const v1::Settle& settle) {
  const TagSelection selection = ReadTagSelection(settle);
  const std::optional<SettleAction> action = ReadSettleAction(settle.action());
  if (!action.has_value() || selection.empty()) {
    v1::Settled settled;
    settled.set_request_id(settle.request_id());
    v1::SettleFailure* failure = settled.add_failures();
    failure->mutable_tags();
    failure->set_reason(v1::SETTLE_FAILURE_REASON_INVALID);
    AddReply(EncodeSettled(std::move(settled)));
    return;
  }
  const std::optional<Barrier::Ticket> ticket = Begin();
  if (!ticket.has_value()) return;
  lease_->Settle(
      *action, selection,
      [self = shared_from_this(), ticket = *ticket, action = *action,
       request_id = settle.request_id()](SettleOutcome outcome) {
        if (action == SettleAction::kAck) {
          self->context_->traffic->acknowledged.Add(outcome.settled_count);
        }
        if (request_id != 0 || !outcome.failures.empty()) {
          v1::Settled settled = ToProto(outcome);
          settled.set_request_id(request_id);
          self->AddReply(EncodeSettled(std::move(settled)));
        }
        self->Finished(ticket);
      });
}

void DeliveryStream::GotError(uint64_t request_id, const absl::Status& error) {
  v1::StreamGot got;
  got.set_request_id(request_id);
  *got.mutable_error() = ToOperationError(error);
  AddReply(EncodeConsumeGot({}, got.SerializeAsString()));
}

void DeliveryStream::Get(const v1::StreamGet& get) {
  const uint64_t request_id = get.request_id();
  bool draining;
  {
    MutexLock lock(&lease_->mu());
    draining = draining_;
  }
  if (draining) return GotError(request_id, ServerDrainingError());
  if (absl::Status valid = CheckName("queue", get.queue()); !valid.ok()) {
    return GotError(request_id, valid);
  }
  if (absl::Status allowed =
          access_.Check(VhostAccess::Permission::kRead,
                        VhostAccess::Resource::kQueue, get.queue());
      !allowed.ok()) {
    return GotError(request_id, allowed);
  }
  const uint32_t wanted =
      std::min(std::max(get.max_messages(), 1u), kMaxGetMessages);
  const std::optional<Barrier::Ticket> ticket = Begin();
  if (!ticket.has_value()) return;
  const uint32_t reserved = window_->ReserveForGet(wanted);
  if (reserved == 0) {
    GotError(request_id,
             MakeError(Reason::kLimitExceeded,
                       "the stream has as many unsettled deliveries as the "
                       "server allows: settle some"));
    return Finished(*ticket);
  }
  GetParams params;
  params.vhost = vhost_;
  params.queue = get.queue();
  params.owner = owner_;
  params.holder = shared_from_this();
  params.max_messages = reserved;
  params.max_bytes = max_response_bytes_ - kResponseOverheadBytes;
  context_->engine->Get(
      std::move(params),
      [self = shared_from_this(), ticket = *ticket, request_id, reserved,
       auto_ack = get.auto_ack()](absl::StatusOr<GetResult> result) {
        const size_t taken = result.ok() ? result->deliveries.size() : 0;
        self->Wake(self->window_->GiveBackFromGet(
            reserved - static_cast<uint32_t>(taken)));
        if (!result.ok()) {
          self->GotError(request_id, result.status());
        } else if (result->required_bytes > 0) {
          self->GotError(request_id,
                         ResponseTooSmallError(result->required_bytes));
        } else {
          CountGot(result->deliveries, auto_ack, self->context_->traffic);
          v1::StreamGot rest;
          rest.set_request_id(request_id);
          rest.set_message_count(result->message_count);
          std::vector<TaggedDelivery> tagged;
          std::vector<uint64_t> ack_tags;
          {
            MutexLock lock(&self->lease_->mu());
            uint64_t tag =
                self->lease_->Issue(result->queue, kGetKey, result->deliveries);
            for (Delivery& delivery : result->deliveries) {
              if (auto_ack) ack_tags.push_back(tag);
              tagged.push_back({tag++, 0, kGetKey, std::move(delivery)});
            }
            self->outbox_.AddReply(
                EncodeConsumeGot(tagged, rest.SerializeAsString()),
                std::move(ack_tags));
          }
          self->Pump();
        }
        self->Finished(ticket);
      });
}

}  // namespace kelpmq::service
