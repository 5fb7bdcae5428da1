#include "service/queue/queue_core.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// What time a queue has for its messages, as RabbitMQ has it: more than it
// can count is for ever.
absl::Duration Lifetime(uint64_t expiration_ms) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  return absl::Milliseconds(
      static_cast<int64_t>(std::min(expiration_ms, kMax)));
}

PriorityLevels LevelsOf(const QueueArguments& arguments) {
  // As in RabbitMQ 4.3 (PRIO-03).
  if (arguments.type == QueueType::kQuorum) return {31, 4};
  return {arguments.max_priority.value_or(0), 0};
}

ReturnPlace ReturnPlaceOf(const QueueArguments& arguments) {
  return arguments.type == QueueType::kQuorum ? ReturnPlace::kInTurn
                                              : ReturnPlace::kOriginal;
}

}  // namespace

QueueCore::QueueCore(QueueSpec spec, QueueArguments arguments,
                     std::string vhost, RoomSource* room, absl::Time now)
    : spec_(std::move(spec)),
      arguments_(std::move(arguments)),
      limit_(arguments_),
      delivery_limit_(DeliveryLimitOf(arguments_)),
      vhost_(std::move(vhost)),
      room_(room),
      ready_(LevelsOf(arguments_), ReturnPlaceOf(arguments_)),
      last_use_(now) {
  if (arguments_.single_active_consumer) {
    single_active_.emplace(arguments_.type == QueueType::kQuorum
                               ? SingleActive::Succession::kByPriority
                               : SingleActive::Succession::kAtLeave,
                           &dispatcher_);
  }
}

QueueCore::~QueueCore() = default;

// ---- Messages in and out ----

std::vector<uint32_t> QueueCore::Enqueue(std::vector<MessageRef> messages,
                                         absl::Time now,
                                         QueueEffects* effects) {
  std::vector<uint32_t> refused;
  const bool limited = limit_.any();
  DropExpired(now, effects);
  for (uint32_t i = 0; i < messages.size() && !closed(); ++i) {
    MessageRef& message = messages[i];
    if (limited && limit_.Refuses(ready_.size(), ready_.bytes(),
                                  message->marks().payload_bytes)) {
      if (limit_.dead_letters_refused()) {
        Die(std::move(message), DeathReason::kMaxLength, effects);
      }
      refused.push_back(i);
      continue;
    }
    const Deadline expires = ExpiryOf(*message, now);
    ready_.Append(std::move(message), expires);
    if (limited || !expires.is_never()) Admit(now, effects);
  }
  Dispatch(now, effects);
  return refused;
}

Deadline QueueCore::ExpiryWithTtl(const Message& message,
                                  absl::Time now) const {
  const MessageFacts facts = message.facts();
  absl::Duration ttl =
      arguments_.message_ttl.value_or(absl::InfiniteDuration());
  if (facts.has_expiration) ttl = std::min(ttl, Lifetime(facts.expiration_ms));
  return Deadline::After(now, ttl);
}

void QueueCore::Admit(absl::Time now, QueueEffects* effects) {
  // Whoever can take it at once gets it, though it has no time (TTL-06) and no
  // room (LEN-03) here. Only after that do time and limits count.
  const size_t count = ready_.size();
  while (ready_.size() == count && OfferHead(now, effects)) {
  }
  DropOverLimit(effects);
  Dispatch(now, effects);
}

void QueueCore::DropExpiredHeads(absl::Time now, QueueEffects* effects) {
  while (ready_.HeadExpires().IsDue(now)) {
    Die(ready_.PopHead().message, DeathReason::kExpired, effects);
  }
}

void QueueCore::DropOverLimit(QueueEffects* effects) {
  while (!ready_.empty() && limit_.DropsHead(ready_.size(), ready_.bytes())) {
    Die(ready_.PopHead().message, DeathReason::kMaxLength, effects);
  }
}

void QueueCore::Die(MessageRef message, DeathReason reason,
                    QueueEffects* effects) {
  if (!arguments_.dead_letter_exchange.has_value()) return;
  effects->dead.push_back({std::move(message), reason});
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
      ReturnToPlace(*std::move(delivery), effects);
    } else if (action == SettleAction::kDiscard) {
      Die(std::move(delivery->message.message), DeathReason::kRejected,
          effects);
    }
  }
  // Before anybody can take what came back (LEN-02).
  DropOverLimit(effects);
  Dispatch(now, effects);
  return lost;
}

uint64_t QueueCore::Release(const DeliverySink* sink, absl::Time now,
                            QueueEffects* effects) {
  RemoveReceivers(sink, now, effects);
  const size_t held = TakeHeldBy(sink, [&](UnackedDelivery delivery) {
    ReturnToPlace(std::move(delivery), effects);
  });
  if (closed()) return 0;
  DropOverLimit(effects);
  Dispatch(now, effects);
  return held;
}

size_t QueueCore::TakeHeldBy(
    const DeliverySink* sink,
    absl::FunctionRef<void(UnackedDelivery delivery)> visit) {
  const std::optional<HolderIndex> index = holders_.Find(sink);
  if (!index.has_value()) return 0;
  const Holder& holder = holders_[*index];
  const size_t held = holder.delivery_count;
  unacked_.TakeHeldBy(*index, holder.first_delivery_id, held,
                      [&](uint64_t, UnackedDelivery delivery) {
                        Uncount(delivery);
                        visit(std::move(delivery));
                      });
  return held;
}

uint64_t QueueCore::Purge(QueueEffects* effects) {
  const uint64_t dropped = ready_.size();
  ready_.Clear();
  FinishDrains(effects);
  return dropped;
}

void QueueCore::Uncount(const UnackedDelivery& delivery) {
  const Message& message = *delivery.message.message;
  unacked_bytes_ -= message.marks().payload_bytes;
  --holders_[delivery.holder].delivery_count;
  holders_.DropIfUnused(delivery.holder);
  if (Consumer* consumer = FindConsumer(delivery.consumer_id)) {
    dispatcher_.Settled(consumer, WindowBytes(message));
    if (single_active_.has_value()) single_active_->Settled(consumer);
  }
}

void QueueCore::ReturnToPlace(UnackedDelivery delivery, QueueEffects* effects) {
  QueuedMessage& message = delivery.message;
  ++message.delivery_count;
  if (delivery_limit_.has_value() &&
      message.delivery_count > *delivery_limit_) {
    Die(std::move(message.message), DeathReason::kDeliveryLimit, effects);
  } else {
    ready_.Return(std::move(message));
  }
}

// ---- Time, and the end ----

void QueueCore::Touch(absl::Time now) {
  // A quorum queue's lease is not renewed by a redeclare.
  if (arguments_.type == QueueType::kClassic) last_use_ = now;
}

void QueueCore::ApplyArguments(QueueArguments effective, absl::Time now,
                               QueueEffects* effects) {
  if (closed()) return;
  effective.type = arguments_.type;
  effective.max_priority = arguments_.max_priority;
  effective.single_active_consumer = arguments_.single_active_consumer;
  if (effective.expires != arguments_.expires) lease_start_ = now;
  arguments_ = std::move(effective);
  limit_ = LengthLimit(arguments_);
  delivery_limit_ = DeliveryLimitOf(arguments_);
  DropOverLimit(effects);
  Dispatch(now, effects);
}

absl::Time QueueCore::unused_since() const {
  return consumers_.empty() ? last_use_ : absl::InfinitePast();
}

absl::Time QueueCore::next_wake() const {
  if (closed()) return absl::InfiniteFuture();
  absl::Time wake = unacked_.NextDeadline();
  const Deadline head_expires = ready_.HeadExpires();
  if (!head_expires.is_never()) wake = std::min(wake, head_expires.time());
  if (arguments_.expires.has_value() && consumers_.empty()) {
    wake = std::min(wake, LeaseStart() + *arguments_.expires);
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
    ReturnToPlace(std::move(delivery), effects);
  }
  DropOverLimit(effects);
  Dispatch(now, effects);

  if (arguments_.expires.has_value() && !closed() && consumers_.empty() &&
      LeaseStart() + *arguments_.expires <= now) {
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
  unacked_bytes_ = 0;
  for (auto& [holder, lose] : lost) AddEvent(holder, std::move(lose), effects);
  for (auto& [id, consumer] : consumers_) {
    AddEvent(consumer->holder,
             QueueEffects::Cancel{consumer->consumer_key, reason, ClosedError(),
                                  /*required_bytes=*/0},
             effects);
    dispatcher_.Remove(consumer.get());
  }
  single_active_.reset();
  consumers_.clear();
  draining_.clear();
  while (!waiting_gets_.empty()) {
    RemoveWaitingGet(waiting_gets_.begin()->second.get(), ClosedError(),
                     effects);
  }
  ready_.Clear();
  holders_.Clear();
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

void QueueCore::AddEvent(HolderIndex holder_index, QueueEffects::Event what,
                         QueueEffects* effects) {
  Holder& holder = holders_[holder_index];
  holder.last_event = effects->events.size();
  effects->events.push_back({holder.sink, std::move(what)});
}

}  // namespace kelpmq::service
