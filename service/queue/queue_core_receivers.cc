// QueueCore's consumers and gets, and how messages come to them.

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/queue/queue_core.h"

namespace kelpmq::service {
namespace {

// What a consumer mostly gets at once when there is enough: room for more is
// made when it is needed.
constexpr size_t kLikelyDeliveries = 64;

uint32_t SaturatingAdd(uint32_t a, uint32_t b) {
  return a + std::min(b, std::numeric_limits<uint32_t>::max() - a);
}

}  // namespace

// ---- Turns ----

void QueueCore::Dispatch(absl::Time now, QueueEffects* effects) {
  do {
    DropExpired(now, effects);
  } while (!ready_.empty() && OfferHead(now, effects));
  FinishDrains(effects);
}

bool QueueCore::OfferHead(absl::Time now, QueueEffects* effects) {
  Taker* taker = dispatcher_.Next(WindowBytes(*ready_.Head()));
  if (taker == nullptr) return false;
  if (taker->kind == Taker::Kind::kWaitingGet) {
    AnswerWaitingGet(static_cast<WaitingGet*>(taker), now, effects);
  } else {
    DeliverHead(static_cast<Consumer*>(taker), now, effects);
  }
  return true;
}

void QueueCore::DeliverHead(Consumer* consumer, absl::Time now,
                            QueueEffects* effects) {
  const Message& message = *ready_.Head();
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
  if (!room_->TryReserve(*holder.sink, consumer->consumer_key, bytes,
                         MayFollow(*consumer))) {
    consumer->refused = true;
    dispatcher_.Update(consumer);
    return;
  }
  dispatcher_.Took(consumer, WindowBytes(message));
  const absl::Duration timeout =
      consumer->delivery_timeout.value_or(arguments_.consumer_timeout);
  Delivery delivery =
      TakeHead(consumer->holder, consumer->id, Deadline::After(now, timeout));
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
  deliver.deliveries.reserve(std::min(ready_.size() + 1, kLikelyDeliveries));
  deliver.deliveries.push_back(std::move(delivery));
  AddEvent(consumer->holder, std::move(deliver), effects);
}

size_t QueueCore::MayFollow(const Consumer& consumer) const {
  if (!waiting_gets_.empty()) return 0;
  // The others have their turns as well.
  const size_t behind = (ready_.size() - 1) / consumers_.size();
  if (consumer.ignores_window || consumer.prefetch_count == 0) return behind;
  const uint64_t room = consumer.prefetch_count - consumer.unacked_count;
  return std::min<uint64_t>(behind, room - 1);
}

Delivery QueueCore::TakeHead(HolderIndex holder_index, ConsumerId consumer_id,
                             Deadline deadline) {
  QueuedMessage head = ready_.PopHead();
  unacked_bytes_ += head.message->marks().payload_bytes;
  Delivery delivery;
  delivery.delivery_count = head.delivery_count;
  delivery.message = head.message;
  delivery.delivery_id =
      unacked_.Add({std::move(head), consumer_id, deadline, holder_index});
  Holder& holder = holders_[holder_index];
  if (holder.delivery_count++ == 0) {
    holder.first_delivery_id = delivery.delivery_id;
  }
  return delivery;
}

// ---- Gets ----

absl::StatusOr<std::optional<GetResult>> QueueCore::Get(const GetParams& params,
                                                        absl::Time now,
                                                        QueueEffects* effects) {
  if (closed()) return ClosedError();
  last_use_ = now;
  DropExpired(now, effects);
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
    const size_t bytes = EncodedDeliveryBytes(*ready_.Head());
    const bool first = result.deliveries.empty();
    if (bytes > (first ? std::max(room, params.max_first_bytes) : room)) {
      if (first) result.required_bytes = bytes;
      break;
    }
    room -= std::min(bytes, room);
    if (first) holder = holders_.Use(params.holder);
    result.deliveries.push_back(
        TakeHead(holder, /*consumer_id=*/0, Deadline()));
    DropExpired(now, effects);
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

void QueueCore::AnswerWaitingGet(WaitingGet* get, absl::Time now,
                                 QueueEffects* effects) {
  GetResult result;
  const size_t bytes = EncodedDeliveryBytes(*ready_.Head());
  if (bytes > get->max_bytes) {
    result.required_bytes = bytes;
  } else {
    result.deliveries.push_back(TakeHead(holders_.Use(get->holder),
                                         /*consumer_id=*/0, Deadline()));
    DropExpired(now, effects);
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
  absl::Status allowed = CheckConsume(params);
  if (!allowed.ok()) return allowed;
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
  if (params.auto_ack) {
    consumer->delivery_timeout = absl::InfiniteDuration();
  } else if (params.delivery_timeout > absl::ZeroDuration()) {
    consumer->delivery_timeout = params.delivery_timeout;
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
  consumer->stands_by = single_active_.has_value();
  dispatcher_.Add(consumer.get());
  if (single_active_.has_value()) single_active_->Add(consumer.get());
  consumers_.emplace_hint(consumers_.end(), id, std::move(consumer));
  Dispatch(now, effects);
  return id;
}

absl::Status QueueCore::CheckConsume(const ConsumeParams& params) const {
  if (arguments_.type == QueueType::kQuorum && params.shared_prefetch) {
    return UseError(Reason::kFeatureUnsupported,
                    "does not support global qos");  // QUORUM-05
  }
  // A quorum queue does not enforce it (QUORUM-06).
  if (arguments_.type == QueueType::kQuorum) return absl::OkStatus();
  bool taken = params.exclusive && single_active_.has_value();
  if (!consumers_.empty()) {
    taken |= params.exclusive || consumers_.begin()->second->info.exclusive;
  }
  if (!taken) return absl::OkStatus();
  return UseError(Reason::kConsumerExclusive, "in exclusive use");
}

void QueueCore::CancelConsumer(ConsumerId id, absl::Time now,
                               QueueEffects* effects) {
  Consumer* consumer = FindConsumer(id);
  if (consumer == nullptr) return;
  RemoveConsumer(consumer, now, effects);
  Dispatch(now, effects);  // to the next single active consumer
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
  if (single_active_.has_value()) single_active_->Remove(consumer);
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

void QueueCore::RemoveReceivers(const DeliverySink* sink, absl::Time now,
                                QueueEffects* effects) {
  for (auto it = waiting_gets_.begin(); it != waiting_gets_.end();) {
    WaitingGet* get = (it++)->second.get();
    if (get->holder.get() == sink) RemoveWaitingGet(get, GetResult(), effects);
  }
  const std::optional<HolderIndex> index = holders_.Find(sink);
  if (!index.has_value()) return;
  const auto consumers = holders_[*index].consumers;
  if (spec_.auto_delete && consumers.size() == consumers_.size() &&
      !consumers.empty()) {
    // The queue goes with them, and the sink is to hear nothing of it.
    TakeHeldBy(sink, [](UnackedDelivery) {});
  }
  for (ConsumerId id : consumers) {
    RemoveConsumer(FindConsumer(id), now, effects);
  }
}

Consumer* QueueCore::FindConsumer(ConsumerId id) {
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
    list.back().active =
        !single_active_.has_value() || single_active_->IsActive(consumer.get());
  }
  return list;
}

}  // namespace kelpmq::service
