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
  if (arguments_.deduplicates) present_keys_.emplace();
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
    if (limited && limit_.Refuses(ready_.size() + letters_.size(),
                                  ready_.bytes() + letters_.bytes(),
                                  message->marks().payload_bytes)) {
      if (limit_.dead_letters_refused()) {
        Die(std::move(message), DeathReason::kMaxLength, now, effects);
      }
      refused.push_back(i);
      continue;
    }
    const Deadline expires = ExpiryOf(*message, now);
    if (present_keys_.has_value() &&
        !present_keys_->Enter(*message, expires, now)) {
      continue;  // dropped, and confirmed
    }
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
  DropOverLimit(now, effects);
  Dispatch(now, effects);
}

void QueueCore::DropExpiredHeads(absl::Time now, QueueEffects* effects) {
  while (ready_.HeadExpires().IsDue(now)) {
    Die(ready_.PopHead().message, DeathReason::kExpired, now, effects);
  }
}

void QueueCore::DropOverLimit(absl::Time now, QueueEffects* effects) {
  while (!ready_.empty() && limit_.DropsHead(ready_.size(), ready_.bytes())) {
    Die(ready_.PopHead().message, DeathReason::kMaxLength, now, effects);
  }
}

uint64_t QueueCore::Purge(QueueEffects* effects) {
  const uint64_t dropped = ready_.size();
  ready_.Clear();
  // Of what is out as well, as the plug-in does.
  if (present_keys_.has_value()) present_keys_->Clear();
  FinishDrains(effects);
  return dropped;
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
  effective.deduplicates = arguments_.deduplicates;
  if (effective.expires != arguments_.expires) lease_start_ = now;
  const Overflow overflow = arguments_.overflow;
  arguments_ = std::move(effective);
  delivery_limit_ = DeliveryLimitOf(arguments_);
  if (!KeepsDeadLetters(arguments_)) {
    std::vector<DeadMessage> letters;
    letters_.LetGo(&letters);
    if (arguments_.dead_letter_exchange.has_value()) {
      effects->dead.insert(effects->dead.end(), letters.begin(), letters.end());
    }
  }
  // A classic queue of RabbitMQ takes the limit first, then the overflow: its
  // head goes unless both overflows refuse (POLICY-04).
  if (arguments_.type == QueueType::kClassic) {
    limit_ = LengthLimit(arguments_, overflow);
    DropOverLimit(now, effects);
  }
  limit_ = LengthLimit(arguments_);
  DropOverLimit(now, effects);
  Dispatch(now, effects);
}

absl::Time QueueCore::unused_since() const {
  return consumers_.empty() ? last_use_ : absl::InfinitePast();
}

absl::Time QueueCore::next_wake() const {
  if (closed()) return absl::InfiniteFuture();
  absl::Time wake = std::min(unacked_.NextDeadline(), returns_.next_due());
  if (letters_.size() > 0) wake = std::min(wake, letters_.next_attempt());
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
  returns_.TakeDue(now, [this](QueuedMessage message) {
    ready_.Return(std::move(message));
  });
  for (UnackedDelivery& delivery : due) {
    Uncount(delivery);
    ReturnToPlace(std::move(delivery), ReturnCause::kLost, now, effects);
  }
  DropOverLimit(now, effects);
  Dispatch(now, effects);
  SendKeptLetters(now, effects);

  if (arguments_.expires.has_value() && !closed() && consumers_.empty() &&
      LeaseStart() + *arguments_.expires <= now) {
    Close(CancelReason::kQueueExpired, effects);
  }
}

absl::StatusOr<std::optional<uint64_t>> QueueCore::Delete(
    bool if_unused, bool if_empty, QueueEffects* effects) {
  if (closed()) return std::nullopt;
  if (arguments_.type == QueueType::kQuorum && (if_unused || if_empty)) {
    return MakeError(
        Reason::kFeatureUnsupported,
        absl::StrCat("cannot delete queue '", spec_.name, "' in vhost '",
                     vhost_, "'. queue.delete operations with ",
                     if_unused ? "if-unused" : "if-empty",
                     " flag set are not supported by quorum queues"),
        {{"queue", spec_.name}, {"vhost", vhost_}});
  }
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
  present_keys_.reset();
  consumers_.clear();
  draining_.clear();
  while (!waiting_gets_.empty()) {
    RemoveWaitingGet(waiting_gets_.begin()->second.get(), ClosedError(),
                     effects);
  }
  ready_.Clear();
  returns_.Clear();
  letters_.Clear();
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
