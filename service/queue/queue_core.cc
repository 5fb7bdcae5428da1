#include "service/queue/queue_core.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// What a message counts in a byte window: body and properties.
size_t WindowBytes(const Message& message) { return message.encoded().size(); }

uint32_t SaturatingAdd(uint32_t a, uint32_t b) {
  return a + std::min(b, std::numeric_limits<uint32_t>::max() - a);
}

}  // namespace

struct QueueCore::Consumer : Taker {
  ConsumerId id = 0;
  HolderIndex holder = 0;
  uint32_t consumer_key = 0;
  size_t max_delivery_bytes = SIZE_MAX;
  absl::Duration delivery_timeout = absl::InfiniteDuration();
  bool draining = false;
  ConsumerInfo info;  // counts are left to ListConsumers
};

struct QueueCore::WaitingGet : Taker {
  uint64_t wait_id = 0;
  SinkRef holder;
  size_t max_bytes = SIZE_MAX;
};

QueueCore::QueueCore(QueueSpec spec, QueueArguments arguments,
                     std::string vhost, RoomSource* room, absl::Time now)
    : spec_(std::move(spec)),
      arguments_(std::move(arguments)),
      vhost_(std::move(vhost)),
      room_(room),
      last_use_(now) {}

QueueCore::~QueueCore() = default;

// ---- Messages in and out ----

void QueueCore::Enqueue(std::vector<MessageRef> messages, absl::Time now,
                        QueueEffects* effects) {
  if (closed()) return;
  for (MessageRef& message : messages) {
    message_bytes_ += message->facts().payload_bytes;
    ready_.Append(std::move(message));
  }
  Dispatch(now, effects);
}

void QueueCore::Dispatch(absl::Time now, QueueEffects* effects) {
  while (!ready_.empty()) {
    Taker* taker = dispatcher_.Next(WindowBytes(*ready_.Head().message));
    if (taker == nullptr) break;
    if (taker->kind == Taker::Kind::kWaitingGet) {
      AnswerWaitingGet(static_cast<WaitingGet*>(taker), effects);
    } else {
      DeliverHead(static_cast<Consumer*>(taker), now, effects);
    }
  }
  FinishDrains(effects);
}

void QueueCore::DeliverHead(Consumer* consumer, absl::Time now,
                            QueueEffects* effects) {
  const Message& message = *ready_.Head().message;
  const size_t bytes = EncodedDeliveryBytes(message);
  Holder& holder = holders_[consumer->holder];
  if (bytes > consumer->max_delivery_bytes) {
    AddEvent(consumer->holder,
             QueueEffects::Cancel{
                 consumer->consumer_key, CancelReason::kResponseTooSmall,
                 UseError(Reason::kResponseTooSmall,
                          absl::StrCat("has a delivery of ", bytes,
                                       " bytes, more than the consumer takes")),
                 bytes},
             effects);
    RemoveConsumer(consumer, now, effects);
    return;
  }
  if (!room_->TryReserve(*holder.sink, consumer->consumer_key, bytes)) {
    consumer->refused = true;
    dispatcher_.Update(consumer);
    return;
  }
  dispatcher_.Took(consumer, WindowBytes(message));
  Delivery delivery = TakeHead(consumer->holder, consumer->id,
                               now + consumer->delivery_timeout);
  if (holder.last_event < effects->events.size()) {
    QueueEffects::SinkEvent& last = effects->events[holder.last_event];
    auto* deliver = std::get_if<QueueEffects::Deliver>(&last.what);
    if (last.sink == holder.sink && deliver != nullptr &&
        deliver->consumer_key == consumer->consumer_key) {
      deliver->deliveries.push_back(std::move(delivery));
      return;
    }
  }
  QueueEffects::Deliver deliver{consumer->consumer_key, {}};
  deliver.deliveries.push_back(std::move(delivery));
  AddEvent(consumer->holder, std::move(deliver), effects);
}

Delivery QueueCore::TakeHead(HolderIndex holder_index, ConsumerId consumer_id,
                             absl::Time deadline) {
  UnackedDelivery out{ready_.PopHead(), consumer_id, deadline, holder_index};
  Delivery delivery;
  delivery.delivery_count = out.message.delivery_count;
  delivery.message = out.message.message;
  delivery.delivery_id = unacked_.Add(std::move(out));
  Holder& holder = holders_[holder_index];
  if (holder.delivery_count++ == 0) {
    holder.first_delivery_id = delivery.delivery_id;
  }
  return delivery;
}

std::vector<uint64_t> QueueCore::Settle(SettleAction action,
                                        absl::Span<const uint64_t> delivery_ids,
                                        absl::Time now, QueueEffects* effects) {
  std::vector<uint64_t> lost;
  for (uint64_t id : delivery_ids) {
    std::optional<UnackedDelivery> delivery = unacked_.Take(id);
    if (!delivery.has_value()) {
      lost.push_back(id);
      continue;
    }
    Uncount(*delivery);
    if (action == SettleAction::kRequeue) {
      ReturnToPlace(std::move(*delivery));
    } else {
      Forget(*delivery->message.message);
    }
  }
  Dispatch(now, effects);
  return lost;
}

uint64_t QueueCore::Release(const DeliverySink* sink, absl::Time now,
                            QueueEffects* effects) {
  for (auto it = waiting_gets_.begin(); it != waiting_gets_.end();) {
    WaitingGet* get = (it++)->second.get();
    if (get->holder.get() == sink) RemoveWaitingGet(get, GetResult(), effects);
  }
  const std::optional<HolderIndex> index = holders_.Find(sink);
  if (!index.has_value()) return 0;
  const Holder& holder = holders_[*index];
  const auto consumers = holder.consumers;
  const size_t held = holder.delivery_count;
  unacked_.TakeHeldBy(*index, holder.first_delivery_id, held,
                      [this](uint64_t, UnackedDelivery delivery) {
                        Uncount(delivery);
                        ReturnToPlace(std::move(delivery));
                      });
  for (ConsumerId id : consumers) {
    RemoveConsumer(FindConsumer(id), now, effects);
  }
  if (closed()) return 0;
  Dispatch(now, effects);
  return held;
}

uint64_t QueueCore::Purge(QueueEffects* effects) {
  const uint64_t dropped = ready_.size();
  while (!ready_.empty()) Forget(*ready_.PopHead().message);
  FinishDrains(effects);
  return dropped;
}

void QueueCore::Uncount(const UnackedDelivery& delivery) {
  --holders_[delivery.holder].delivery_count;
  holders_.DropIfUnused(delivery.holder);
  if (Consumer* consumer = FindConsumer(delivery.consumer_id)) {
    dispatcher_.Settled(consumer, WindowBytes(*delivery.message.message));
  }
}

void QueueCore::ReturnToPlace(UnackedDelivery delivery) {
  ++delivery.message.delivery_count;
  ready_.Return(std::move(delivery.message));
}

void QueueCore::Forget(const Message& message) {
  message_bytes_ -= message.facts().payload_bytes;
}

// ---- Gets ----

absl::StatusOr<std::optional<GetResult>> QueueCore::Get(const GetParams& params,
                                                        absl::Time now,
                                                        QueueEffects* effects) {
  if (closed()) return ClosedError();
  last_use_ = now;
  if (ready_.empty() && params.wait_id != 0) {
    auto get = std::make_unique<WaitingGet>();
    get->kind = Taker::Kind::kWaitingGet;
    get->prefetch_count = 1;
    get->wait_id = params.wait_id;
    get->holder = params.holder;
    get->max_bytes = std::max(params.max_bytes, params.max_first_bytes);
    dispatcher_.Add(get.get());
    waiting_gets_.emplace(params.wait_id, std::move(get));
    return std::nullopt;
  }
  GetResult result;
  size_t room = params.max_bytes;
  HolderIndex holder = 0;
  while (!ready_.empty() && result.deliveries.size() < params.max_messages) {
    const size_t bytes = EncodedDeliveryBytes(*ready_.Head().message);
    const bool first = result.deliveries.empty();
    if (bytes > (first ? std::max(room, params.max_first_bytes) : room)) {
      if (first) result.required_bytes = bytes;
      break;
    }
    room -= std::min(bytes, room);
    if (first) holder = holders_.Use(params.holder);
    result.deliveries.push_back(
        TakeHead(holder, /*consumer_id=*/0, absl::InfiniteFuture()));
  }
  result.message_count = ready_.size();
  // The new head may fit a byte window that the old one did not.
  Dispatch(now, effects);
  return result;
}

void QueueCore::EndGetWait(uint64_t wait_id, QueueEffects* effects) {
  auto it = waiting_gets_.find(wait_id);
  if (it == waiting_gets_.end()) return;
  GetResult result;
  result.message_count = ready_.size();
  RemoveWaitingGet(it->second.get(), std::move(result), effects);
}

void QueueCore::AnswerWaitingGet(WaitingGet* get, QueueEffects* effects) {
  GetResult result;
  const size_t bytes = EncodedDeliveryBytes(*ready_.Head().message);
  if (bytes > get->max_bytes) {
    result.required_bytes = bytes;
  } else {
    result.deliveries.push_back(TakeHead(holders_.Use(get->holder),
                                         /*consumer_id=*/0,
                                         absl::InfiniteFuture()));
  }
  result.message_count = ready_.size();
  RemoveWaitingGet(get, std::move(result), effects);
}

void QueueCore::RemoveWaitingGet(WaitingGet* get,
                                 absl::StatusOr<GetResult> result,
                                 QueueEffects* effects) {
  dispatcher_.Remove(get);
  effects->answered.push_back({get->wait_id, std::move(result)});
  waiting_gets_.erase(get->wait_id);
}

// ---- Consumers ----

absl::StatusOr<ConsumerId> QueueCore::Consume(ConsumeParams params,
                                              absl::Time now,
                                              QueueEffects* effects) {
  if (closed()) return ClosedError();
  absl::StatusOr<int64_t> priority =
      ConsumerPriority(params.priority, params.arguments, spec_.name, vhost_);
  if (!priority.ok()) return priority.status();
  if (!consumers_.empty() &&
      (params.exclusive || consumers_.begin()->second->info.exclusive)) {
    return UseError(Reason::kConsumerExclusive, "in exclusive use");
  }
  auto consumer = std::make_unique<Consumer>();
  consumer->priority = *priority;
  consumer->ignores_window = params.auto_ack;
  consumer->prefetch_count = params.prefetch_count;
  consumer->prefetch_bytes = params.prefetch_bytes;
  consumer->manual_credit = params.manual_credit;
  consumer->id = ++last_consumer_id_;
  consumer->holder = holders_.Use(params.sink);
  consumer->consumer_key = params.consumer_key;
  consumer->max_delivery_bytes = params.max_delivery_bytes;
  if (!params.auto_ack) {
    consumer->delivery_timeout = params.delivery_timeout > absl::ZeroDuration()
                                     ? params.delivery_timeout
                                     : arguments_.consumer_timeout;
  }
  consumer->info.queue = spec_.name;
  consumer->info.consumer_tag = std::move(params.consumer_tag);
  consumer->info.auto_ack = params.auto_ack;
  consumer->info.exclusive = params.exclusive;
  consumer->info.priority = static_cast<int32_t>(
      std::clamp<int64_t>(*priority, std::numeric_limits<int32_t>::min(),
                          std::numeric_limits<int32_t>::max()));
  consumer->info.arguments = std::move(params.arguments);
  consumer->info.client_name = std::move(params.client_name);
  consumer->info.peer = std::move(params.peer);

  const ConsumerId id = consumer->id;
  holders_[consumer->holder].consumers.push_back(id);
  dispatcher_.Add(consumer.get());
  consumers_.emplace_hint(consumers_.end(), id, std::move(consumer));
  Dispatch(now, effects);
  return id;
}

void QueueCore::CancelConsumer(ConsumerId id, absl::Time now,
                               QueueEffects* effects) {
  if (Consumer* consumer = FindConsumer(id)) {
    RemoveConsumer(consumer, now, effects);
  }
}

void QueueCore::UpdateConsumer(const UpdateConsumerParams& params,
                               absl::Time now, QueueEffects* effects) {
  Consumer* consumer = FindConsumer(params.consumer.consumer_id);
  if (consumer == nullptr) return;
  if (params.prefetch_count) consumer->prefetch_count = *params.prefetch_count;
  if (params.prefetch_bytes) consumer->prefetch_bytes = *params.prefetch_bytes;
  if (params.paused) consumer->paused = *params.paused;
  dispatcher_.Update(consumer);
  Dispatch(now, effects);
}

void QueueCore::GrantCredit(const GrantCreditParams& params, absl::Time now,
                            QueueEffects* effects) {
  Consumer* consumer = FindConsumer(params.consumer.consumer_id);
  if (consumer == nullptr) return;
  if (consumer->manual_credit) {
    consumer->credit = SaturatingAdd(consumer->credit, params.messages);
    dispatcher_.Update(consumer);
  }
  if (params.drain && !consumer->draining) {
    consumer->draining = true;
    draining_.push_back(consumer->id);
  }
  Dispatch(now, effects);
}

void QueueCore::Resume(absl::Span<const ConsumerId> ids, absl::Time now,
                       QueueEffects* effects) {
  for (ConsumerId id : ids) {
    Consumer* consumer = FindConsumer(id);
    if (consumer == nullptr || !consumer->refused) continue;
    consumer->refused = false;
    dispatcher_.Update(consumer);
  }
  Dispatch(now, effects);
}

void QueueCore::FinishDrains(QueueEffects* effects) {
  for (size_t i = 0; i < draining_.size();) {
    Consumer* consumer = FindConsumer(draining_[i]);
    const bool used_up = consumer->manual_credit && consumer->credit == 0;
    if (!ready_.empty() && !used_up) {
      ++i;
      continue;
    }
    AddEvent(consumer->holder,
             QueueEffects::Drained{consumer->consumer_key, consumer->credit},
             effects);
    consumer->draining = false;
    consumer->credit = 0;
    dispatcher_.Update(consumer);
    draining_.erase(draining_.begin() + i);
  }
}

void QueueCore::RemoveConsumer(Consumer* consumer, absl::Time now,
                               QueueEffects* effects) {
  const ConsumerId id = consumer->id;
  dispatcher_.Remove(consumer);
  auto& of_holder = holders_[consumer->holder].consumers;
  of_holder.erase(std::find(of_holder.begin(), of_holder.end(), id));
  holders_.DropIfUnused(consumer->holder);
  if (consumer->draining) {
    draining_.erase(std::find(draining_.begin(), draining_.end(), id));
  }
  consumers_.erase(id);
  if (!consumers_.empty()) return;
  last_use_ = now;
  if (spec_.auto_delete) Close(CancelReason::kQueueDeleted, effects);
}

QueueCore::Consumer* QueueCore::FindConsumer(ConsumerId id) {
  auto it = consumers_.find(id);
  return it == consumers_.end() ? nullptr : it->second.get();
}

std::vector<ConsumerInfo> QueueCore::ListConsumers() const {
  std::vector<ConsumerInfo> list;
  list.reserve(consumers_.size());
  for (const auto& [id, consumer] : consumers_) {
    list.push_back(consumer->info);
    list.back().prefetch_count = consumer->prefetch_count;
    list.back().unacked_count = consumer->unacked_count;
  }
  return list;
}

// ---- Time, and the end ----

void QueueCore::Touch(absl::Time now) {
  // A quorum queue's lease is not renewed by a redeclare.
  if (arguments_.type == QueueType::kClassic) last_use_ = now;
}

absl::Time QueueCore::unused_since() const {
  return consumers_.empty() ? last_use_ : absl::InfinitePast();
}

absl::Time QueueCore::next_wake() const {
  if (closed()) return absl::InfiniteFuture();
  absl::Time wake = unacked_.NextDeadline();
  if (arguments_.expires.has_value() && consumers_.empty()) {
    wake = std::min(wake, last_use_ + *arguments_.expires);
  }
  return wake;
}

void QueueCore::OnTime(absl::Time now, QueueEffects* effects) {
  if (closed()) return;
  std::vector<UnackedDelivery> due;
  absl::btree_map<HolderIndex, QueueEffects::Lose> lost;
  unacked_.TakeDue(now, [&](uint64_t id, UnackedDelivery delivery) {
    lost[delivery.holder].delivery_ids.push_back(id);
    due.push_back(std::move(delivery));
  });
  for (auto& [holder, lose] : lost) {
    std::sort(lose.delivery_ids.begin(), lose.delivery_ids.end());
    lose.reason = LostReason::kDeliveryTimeout;
    AddEvent(holder, std::move(lose), effects);
  }
  for (UnackedDelivery& delivery : due) {
    Uncount(delivery);
    ReturnToPlace(std::move(delivery));
  }
  if (!due.empty()) Dispatch(now, effects);

  if (arguments_.expires.has_value() && !closed() && consumers_.empty() &&
      last_use_ + *arguments_.expires <= now) {
    Close(CancelReason::kQueueExpired, effects);
  }
}

absl::StatusOr<std::optional<uint64_t>> QueueCore::Delete(
    bool if_unused, bool if_empty, QueueEffects* effects) {
  if (closed()) return std::nullopt;
  if (if_unused && !consumers_.empty()) {
    return UseError(Reason::kQueueInUse, "in use");
  }
  if (if_empty && !ready_.empty()) {
    return UseError(Reason::kQueueNotEmpty, "not empty");
  }
  const uint64_t ready = ready_.size();
  Close(CancelReason::kQueueDeleted, effects);
  return ready;
}

void QueueCore::Close(CancelReason reason, QueueEffects* effects) {
  closed_ = reason;
  effects->closed = reason;
  absl::btree_map<HolderIndex, QueueEffects::Lose> lost;
  unacked_.TakeAll([&lost](uint64_t id, const UnackedDelivery& delivery) {
    lost[delivery.holder].delivery_ids.push_back(id);
  });
  for (auto& [holder, lose] : lost) AddEvent(holder, std::move(lose), effects);
  for (auto& [id, consumer] : consumers_) {
    AddEvent(consumer->holder,
             QueueEffects::Cancel{consumer->consumer_key, reason, ClosedError(),
                                  /*required_bytes=*/0},
             effects);
    dispatcher_.Remove(consumer.get());
  }
  consumers_.clear();
  draining_.clear();
  while (!waiting_gets_.empty()) {
    RemoveWaitingGet(waiting_gets_.begin()->second.get(), ClosedError(),
                     effects);
  }
  ready_.Clear();
  holders_.Clear();
  message_bytes_ = 0;
}

absl::Status QueueCore::ClosedError() const {
  return UseError(Reason::kQueueDeleted, closed_ == CancelReason::kQueueExpired
                                             ? "has expired"
                                             : "has been deleted");
}

absl::Status QueueCore::UseError(Reason reason, absl::string_view what) const {
  return MakeError(
      reason,
      absl::StrCat("queue '", spec_.name, "' in vhost '", vhost_, "' ", what),
      {{"queue", spec_.name}, {"vhost", vhost_}});
}

void QueueCore::AddEvent(
    HolderIndex holder_index,
    std::variant<QueueEffects::Deliver, QueueEffects::Cancel,
                 QueueEffects::Lose, QueueEffects::Drained>
        what,
    QueueEffects* effects) {
  Holder& holder = holders_[holder_index];
  holder.last_event = effects->events.size();
  effects->events.push_back({holder.sink, std::move(what)});
}

}  // namespace kelpmq::service
