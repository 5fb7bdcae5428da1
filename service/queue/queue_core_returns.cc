// What of QueueCore's messages comes back, and what dies.

#include <optional>
#include <utility>

#include "service/queue/queue_core.h"

namespace kelpmq::service {

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
    if (present_keys_.has_value() && action == SettleAction::kAck) {
      present_keys_->Leave(*delivery->message.message);
    }
    if (action == SettleAction::kRequeue) {
      ReturnToPlace(*std::move(delivery), ReturnCause::kRequeued, now, effects);
    } else if (action == SettleAction::kDiscard) {
      Die(std::move(delivery->message.message), DeathReason::kRejected, now,
          effects);
    }
  }
  // Before anybody can take what came back (LEN-02).
  DropOverLimit(now, effects);
  Dispatch(now, effects);
  return lost;
}

uint64_t QueueCore::Release(const DeliverySink* sink, absl::Time now,
                            QueueEffects* effects) {
  RemoveReceivers(sink, now, effects);
  const size_t held = TakeHeldBy(sink, [&](UnackedDelivery delivery) {
    ReturnToPlace(std::move(delivery), ReturnCause::kLost, now, effects);
  });
  if (closed()) return 0;
  DropOverLimit(now, effects);
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

void QueueCore::Die(MessageRef message, DeathReason reason, absl::Time now,
                    QueueEffects* effects) {
  if (present_keys_.has_value()) present_keys_->Leave(*message);
  if (!arguments_.dead_letter_exchange.has_value()) return;
  DeadMessage dead{std::move(message), reason, now};
  if (KeepsDeadLetters(arguments_)) {
    letters_.Add(std::move(dead));
    SendKeptLetters(now, effects);
  } else {
    effects->dead.push_back(std::move(dead));
  }
}

void QueueCore::OnLetterFates(absl::Span<const LetterFate> fates,
                              absl::Time now, QueueEffects* effects) {
  letters_.OnFates(fates, now);
  SendKeptLetters(now, effects);
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

void QueueCore::ReturnToPlace(UnackedDelivery delivery, ReturnCause cause,
                              absl::Time now, QueueEffects* effects) {
  QueuedMessage& message = delivery.message;
  ++message.delivery_count;
  if (delivery_limit_.has_value() &&
      message.delivery_count > *delivery_limit_) {
    Die(std::move(message.message), DeathReason::kDeliveryLimit, now, effects);
    return;
  }
  const absl::Duration wait =
      arguments_.retry_delay.Of(cause, message.delivery_count);
  if (wait > absl::ZeroDuration()) {
    returns_.Add(now + wait, std::move(message));
  } else {
    ready_.Return(std::move(message));
  }
}

}  // namespace kelpmq::service
