// The consumers of a DeliveryStream: start, cancel, credit, flow.

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/random_name.h"
#include "service/rpc/convert.h"
#include "service/rpc/delivery_stream.h"
#include "service/rpc/stream_errors.h"
#include "service/rpc/stream_requests.h"
#include "service/rpc/topology_access.h"

namespace kelpmq::service {
namespace {

// When the client sets none.
constexpr uint32_t kDefaultPrefetchCount = 100;

absl::Status ReadTemporaryQueue(const v1::TemporaryQueue& temporary,
                                const MessageLimits& limits,
                                ConsumeParams* params) {
  params->temporary_queue = true;
  absl::StatusOr<Table> arguments = ToTable(temporary.arguments(), limits);
  if (!arguments.ok()) return arguments.status();
  params->queue_arguments = *std::move(arguments);
  for (const v1::TemporaryBinding& proto : temporary.bindings()) {
    TemporaryBinding binding;
    binding.exchange = proto.exchange();
    binding.routing_key = proto.routing_key();
    absl::Status valid = CheckName("exchange", binding.exchange);
    if (valid.ok()) valid = CheckName("routing_key", binding.routing_key);
    if (!valid.ok()) return valid;
    absl::StatusOr<Table> table = ToTable(proto.arguments(), limits);
    if (!table.ok()) return table.status();
    binding.arguments = *std::move(table);
    params->bindings.push_back(std::move(binding));
  }
  return absl::OkStatus();
}

// What the queue says, with the number that the client needs.
absl::Status ConsumerResponseTooSmallError(const absl::Status& error,
                                           uint64_t required_bytes) {
  std::string vhost;
  std::string queue;
  for (auto& [key, value] : InfoOf(error).metadata) {
    if (key == "vhost") vhost = value;
    if (key == "queue") queue = value;
  }
  return MakeError(Reason::kResponseTooSmall,
                   absl::StrCat("a message of queue '", queue, "' in vhost '",
                                vhost, "' needs a response of ", required_bytes,
                                " bytes: allow more and consume again"),
                   {{"vhost", vhost},
                    {"queue", queue},
                    {"required_bytes", absl::StrCat(required_bytes)}});
}

}  // namespace

absl::StatusOr<ConsumeParams> DeliveryStream::MakeConsumeParams(
    const v1::ConsumerSpec& spec, ConsumerKey key) const {
  ConsumeParams params;
  params.vhost = vhost_;
  params.owner = owner_;
  params.consumer_key = key;
  params.auto_ack = spec.auto_ack();
  params.exclusive = spec.exclusive();
  params.prefetch_count =
      spec.has_prefetch_count() ? spec.prefetch_count() : kDefaultPrefetchCount;
  params.prefetch_bytes = spec.prefetch_bytes();
  params.manual_credit = spec.manual_credit();
  params.shared_prefetch = window_->has_prefetch();
  params.max_delivery_bytes = max_response_bytes_ - kResponseOverheadBytes;
  params.client_name = client_name_;
  params.peer = call_->peer();
  absl::StatusOr<absl::Duration> delivery_timeout = ToDuration(
      "delivery_timeout", spec.delivery_timeout(),
      {absl::ZeroDuration(), absl::ZeroDuration(), absl::InfiniteDuration()});
  if (!delivery_timeout.ok()) return delivery_timeout.status();
  params.delivery_timeout = *delivery_timeout;
  absl::StatusOr<Table> arguments =
      ToTable(spec.arguments(), context_->limits.message);
  if (!arguments.ok()) return arguments.status();
  params.arguments = *std::move(arguments);
  params.priority = spec.priority();
  if (spec.has_temporary_queue()) {
    if (absl::Status read = ReadTemporaryQueue(
            spec.temporary_queue(), context_->limits.message, &params);
        !read.ok()) {
      return read;
    }
  } else {
    if (absl::Status valid = CheckName("queue", spec.queue()); !valid.ok()) {
      return valid;
    }
    params.queue = spec.queue();
  }
  return params;
}

absl::StatusOr<ConsumerKey> DeliveryStream::Enter(const v1::ConsumerSpec& spec,
                                                  std::string tag) {
  MutexLock lock(&lease_->mu());
  if (draining_) return ServerDrainingError();
  if (key_of_.contains(spec.consumer_id())) {
    return MakeError(Reason::kConsumerIdInUse,
                     absl::StrCat("consumer_id ", spec.consumer_id(),
                                  " is in use on this stream"));
  }
  for (const auto& [key, consumer] : consumers_) {
    if (consumer.consumer_tag == tag) {
      return MakeError(
          Reason::kConsumerTagInUse,
          absl::StrCat("attempt to reuse consumer tag '", tag, "'"));
    }
  }
  const uint32_t limit = context_->limits.max_consumers_per_stream;
  if (consumers_.size() >= limit) {
    return MakeError(
        Reason::kLimitExceeded,
        absl::StrCat("reached maximum (", limit, ") of consumers per channel"),
        {{"limit", absl::StrCat(limit)}});
  }
  const ConsumerKey key = MakeConsumerKey(++last_number_, spec.auto_ack());
  Consumer& consumer = consumers_[key];
  consumer.consumer_id = spec.consumer_id();
  consumer.consumer_tag = std::move(tag);
  key_of_[spec.consumer_id()] = key;
  return key;
}

bool DeliveryStream::WaitsForCancel(const v1::ConsumerSpec& spec) const {
  const bool full =
      consumers_.size() >= context_->limits.max_consumers_per_stream;
  for (const auto& [key, consumer] : consumers_) {
    if (consumer.cancelling &&
        (full || consumer.consumer_id == spec.consumer_id() ||
         consumer.consumer_tag == spec.consumer_tag())) {
      return true;
    }
  }
  return false;
}

void DeliveryStream::StartWaiting() {
  v1::ConsumerSpec spec;
  {
    MutexLock lock(&lease_->mu());
    if (!waiting_start_.has_value() || WaitsForCancel(*waiting_start_)) return;
    spec = *std::exchange(waiting_start_, std::nullopt);
  }
  StartConsumer(spec, /*ends_stream=*/false);
  {
    MutexLock lock(&lease_->mu());
    start_waits_ = false;
  }
  Pump();
}

void DeliveryStream::StartConsumer(const v1::ConsumerSpec& spec,
                                   bool ends_stream) {
  {
    MutexLock lock(&lease_->mu());
    if (WaitsForCancel(spec)) {
      waiting_start_ = spec;
      start_waits_ = true;
      return;
    }
  }
  // Before it is entered: the stream's end must find no consumer that is
  // neither started nor waited for.
  const std::optional<Barrier::Ticket> ticket = Begin();
  if (!ticket.has_value()) return;
  const auto fail = [&](absl::Status error) {
    StartFailed(spec, std::move(error), ends_stream);
    Finished(*ticket);
  };
  if (absl::Status valid = CheckName("consumer_tag", spec.consumer_tag());
      !valid.ok()) {
    return fail(std::move(valid));
  }
  std::string tag = spec.consumer_tag().empty()
                        ? MakeServerName(kServerConsumerTagPrefix)
                        : spec.consumer_tag();
  absl::StatusOr<ConsumerKey> key = Enter(spec, tag);
  if (!key.ok()) return fail(key.status());
  absl::StatusOr<ConsumeParams> params = MakeConsumeParams(spec, *key);
  if (params.ok()) {
    absl::Status allowed = CheckConsume(*context_->engine, &*params, &access_);
    if (!allowed.ok()) params = std::move(allowed);
  }
  if (!params.ok()) {
    {
      MutexLock lock(&lease_->mu());
      consumers_.erase(*key);
      key_of_.erase(spec.consumer_id());
    }
    return fail(params.status());
  }
  params->consumer_tag = std::move(tag);
  params->sink = shared_from_this();
  ConsumeParams sent = *params;
  context_->engine->Consume(
      std::move(sent), [self = shared_from_this(), ticket = *ticket, key = *key,
                        params = *std::move(params),
                        ends_stream](absl::StatusOr<ConsumerRef> result) {
        self->OnStarted(key, params, std::move(result), ends_stream);
        self->Finished(ticket);
      });
}

void DeliveryStream::OnStarted(ConsumerKey key, const ConsumeParams& params,
                               absl::StatusOr<ConsumerRef> result,
                               bool ends_stream) {
  std::vector<Operation> when_started;
  if (!result.ok()) {
    v1::ConsumerSpec spec;  // all that StartFailed needs of it
    {
      MutexLock lock(&lease_->mu());
      auto it = consumers_.find(key);
      when_started = std::move(it->second.when_started);
      spec.set_consumer_id(it->second.consumer_id);
      key_of_.erase(it->second.consumer_id);
      consumers_.erase(it);
    }
    spec.set_consumer_tag(params.consumer_tag);
    StartFailed(spec, result.status(), ends_stream);
    StartWaiting();
    for (Operation& operation : when_started) Finished(operation.ticket);
    return;
  }
  {
    MutexLock lock(&lease_->mu());
    const Consumer& consumer = consumers_.find(key)->second;
    v1::ConsumerStarted started;
    started.set_consumer_id(consumer.consumer_id);
    started.set_consumer_tag(consumer.consumer_tag);
    started.set_queue(result->queue->name());
    started.set_lease_id(lease_->id());
    started.set_prefetch_count(params.prefetch_count);
    started.set_max_response_bytes(max_response_bytes_);
    *started.mutable_heartbeat_interval() = FromDuration(heartbeat_interval_);
    outbox_.AddReply(framing_->Started(std::move(started)));
  }
  Pump();
  // What waited goes first: until none does, the consumer counts as starting,
  // so that what comes meanwhile lines up behind.
  bool resume = false;
  while (true) {
    {
      MutexLock lock(&lease_->mu());
      auto it = consumers_.find(key);
      if (it == consumers_.end()) break;  // cancelled by one of them
      when_started = std::exchange(it->second.when_started, {});
      if (when_started.empty()) {
        it->second.ref = *result;
        resume = it->second.resume_when_started;
        break;
      }
    }
    for (Operation& operation : when_started) {
      std::move(operation.run)(*result, operation.ticket);
    }
  }
  if (resume) context_->engine->Resume({*result});
  // The permission may have gone while it was starting, and was not among the
  // consumers that were looked at then.
  CancelRevoked({{key, *result}});
}

void DeliveryStream::StartFailed(const v1::ConsumerSpec& spec,
                                 absl::Status error, bool ends_stream) {
  if (ends_stream) {
    End(std::move(error));
    return;
  }
  v1::ConsumerCancelled cancelled;
  cancelled.set_consumer_id(spec.consumer_id());
  cancelled.set_consumer_tag(spec.consumer_tag());
  cancelled.set_reason(v1::CANCEL_REASON_START_FAILED);
  *cancelled.mutable_error() = ToOperationError(error);
  if (auto frame = framing_->Cancelled(std::move(cancelled))) {
    AddReply(*std::move(frame));
  }
}

void DeliveryStream::WhenStarted(uint32_t consumer_id, Operation::Run run) {
  // Taken now, so that a ping that follows waits for it.
  const std::optional<Barrier::Ticket> ticket = Begin();
  if (!ticket.has_value()) return;
  ConsumerRef ref;
  {
    MutexLock lock(&lease_->mu());
    auto key = key_of_.find(consumer_id);
    if (key != key_of_.end()) {
      Consumer& consumer = consumers_.find(key->second)->second;
      if (consumer.ref.queue == nullptr) {
        consumer.when_started.push_back({std::move(run), *ticket});
        return;
      }
      ref = consumer.ref;
    }
  }
  if (ref.queue == nullptr) {
    Finished(*ticket);  // it crossed the consumer's own end
  } else {
    std::move(run)(ref, *ticket);
  }
}

void DeliveryStream::CancelConsumer(uint32_t consumer_id) {
  {
    MutexLock lock(&lease_->mu());
    auto it = key_of_.find(consumer_id);
    if (it != key_of_.end())
      consumers_.find(it->second)->second.cancelling = true;
  }
  WhenStarted(consumer_id, [self = shared_from_this(), consumer_id](
                               const ConsumerRef& ref, Barrier::Ticket ticket) {
    ConsumerKey key = 0;  // names no consumer
    {
      MutexLock lock(&self->lease_->mu());
      auto it = self->key_of_.find(consumer_id);
      if (it != self->key_of_.end()) key = it->second;
    }
    self->context_->engine->CancelConsumer(ref, [self, ticket,
                                                 key](absl::Status) {
      self->Cancelled(key, CancelReason::kClientRequest, absl::OkStatus(), 0);
      self->Finished(ticket);
    });
  });
}

void DeliveryStream::CancelRevoked(
    const std::vector<std::pair<ConsumerKey, ConsumerRef>>& consumers) {
  VhostAccess access(login_, vhost_);
  for (const auto& [key, ref] : consumers) {
    absl::Status allowed =
        access.Check(VhostAccess::Permission::kRead,
                     VhostAccess::Resource::kQueue, ref.queue->name());
    if (allowed.ok()) continue;
    const std::optional<Barrier::Ticket> ticket = Begin();
    if (!ticket.has_value()) return;
    context_->engine->CancelConsumer(
        ref, [self = shared_from_this(), ticket = *ticket, key = key,
              allowed = std::move(allowed)](absl::Status) {
          self->Cancelled(key, CancelReason::kAccessRevoked, allowed, 0);
          self->Finished(ticket);
        });
  }
}

void DeliveryStream::ConsumerCancelled(uint32_t consumer_key,
                                       CancelReason reason, absl::Status error,
                                       uint64_t required_bytes) {
  if (required_bytes > 0) {
    // The queue knows of its delivery alone, the client sets the whole.
    required_bytes = RequiredResponseBytes(required_bytes);
    error = ConsumerResponseTooSmallError(error, required_bytes);
  }
  Cancelled(consumer_key, reason, std::move(error), required_bytes);
}

void DeliveryStream::Cancelled(ConsumerKey key, CancelReason reason,
                               absl::Status error, uint64_t required_bytes) {
  v1::ConsumerCancelled cancelled;
  {
    MutexLock lock(&lease_->mu());
    auto it = consumers_.find(key);
    if (it == consumers_.end()) return;  // it has ended another way
    cancelled.set_consumer_id(it->second.consumer_id);
    cancelled.set_consumer_tag(it->second.consumer_tag);
    key_of_.erase(it->second.consumer_id);
    consumers_.erase(it);
    cancelled.set_reason(static_cast<v1::CancelReason>(reason));
    cancelled.set_required_bytes(required_bytes);
    if (!error.ok()) *cancelled.mutable_error() = ToOperationError(error);
    if (auto frame = framing_->Cancelled(std::move(cancelled))) {
      outbox_.AddReply(*std::move(frame));
      error = absl::OkStatus();
    }
  }
  if (!error.ok()) {
    // A vhost that is deleted takes its queues along: that is the news.
    const bool vhost_gone = !context_->engine->CheckVhost(vhost_).ok();
    End(vhost_gone ? VhostGoneError(vhost_) : std::move(error));
  }
  Pump();
  StartWaiting();
}

void DeliveryStream::GrantCredit(const v1::GrantCredit& credit) {
  WhenStarted(
      credit.consumer_id(),
      [self = shared_from_this(), messages = credit.messages(),
       drain = credit.drain()](const ConsumerRef& ref, Barrier::Ticket ticket) {
        self->context_->engine->GrantCredit(
            {ref, messages, drain},
            [self, ticket](absl::Status) { self->Finished(ticket); });
      });
}

void DeliveryStream::CreditDrained(uint32_t consumer_key,
                                   uint32_t unused_credit) {
  {
    MutexLock lock(&lease_->mu());
    auto it = consumers_.find(consumer_key);
    if (it == consumers_.end()) return;
    outbox_.AddReply(
        EncodeCreditDrained(it->second.consumer_id, unused_credit));
  }
  Pump();
}

void DeliveryStream::SetFlow(const v1::SetFlow& flow) {
  if (flow.whole_stream()) {
    if (flow.has_prefetch_count() || flow.has_prefetch_bytes()) {
      // As RabbitMQ does: nothing less than the end tells the client.
      absl::Status permitted = CheckStreamPrefetch(context_->strictness);
      if (!permitted.ok()) return End(std::move(permitted));
    }
    if (flow.has_prefetch_count()) {
      Wake(window_->SetPrefetchCount(flow.prefetch_count()));
    }
    if (flow.has_prefetch_bytes()) {
      Wake(window_->SetPrefetchBytes(flow.prefetch_bytes()));
    }
    if (flow.has_paused()) Wake(window_->SetPaused(flow.paused()));
    return;
  }
  UpdateConsumerParams params;
  if (flow.has_prefetch_count()) params.prefetch_count = flow.prefetch_count();
  if (flow.has_prefetch_bytes()) params.prefetch_bytes = flow.prefetch_bytes();
  if (flow.has_paused()) params.paused = flow.paused();
  WhenStarted(flow.consumer_id(),
              [self = shared_from_this(), params](
                  const ConsumerRef& ref, Barrier::Ticket ticket) mutable {
                params.consumer = ref;
                self->context_->engine->UpdateConsumer(
                    std::move(params),
                    [self, ticket](absl::Status) { self->Finished(ticket); });
              });
}

}  // namespace kelpmq::service
