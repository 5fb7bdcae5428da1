#ifndef KELPMQ_SERVICE_QUEUE_QUEUE_CORE_H_
#define KELPMQ_SERVICE_QUEUE_QUEUE_CORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/base/error.h"
#include "service/base/types.h"
#include "service/engine/engine.h"
#include "service/queue/delayed_returns.h"
#include "service/queue/dispatcher.h"
#include "service/queue/holders.h"
#include "service/queue/kept_letters.h"
#include "service/queue/length_limit.h"
#include "service/queue/present_keys.h"
#include "service/queue/queue_arguments.h"
#include "service/queue/queue_effects.h"
#include "service/queue/ready_list.h"
#include "service/queue/receivers.h"
#include "service/queue/single_active.h"
#include "service/queue/unacked.h"

namespace kelpmq::service {

// Asked before each delivery to a consumer; DeliverySink::Reserve behind it.
class RoomSource {
 public:
  virtual ~RoomSource() = default;
  //   may_follow: deliveries to the same consumer that are likely to come next.
  virtual bool TryReserve(DeliverySink& sink, uint32_t consumer_key,
                          size_t bytes, size_t may_follow) = 0;
};

// The rules of one queue, with no threads, clock or I/O. Each method adds to
// `effects` what follows from it; `now` must not go backwards.
//
// Once closed (deleted, auto-deleted, expired) it holds nothing; every method
// may still be called and finds nothing.
// Thread-safety: thread-compatible. Owned by one Queue and used on its strand.
class QueueCore {
 public:
  // `spec` has been validated as ParseQueueArguments does, into `arguments`.
  // `room` outlives the core.
  QueueCore(QueueSpec spec, QueueArguments arguments, std::string vhost,
            RoomSource* room, absl::Time now);
  ~QueueCore();
  QueueCore(const QueueCore&) = delete;
  QueueCore& operator=(const QueueCore&) = delete;

  // Puts messages behind all others of their priority, in their order and as
  // if each had come alone. The indexes of those that a full queue refuses.
  std::vector<uint32_t> Enqueue(std::vector<MessageRef> messages,
                                absl::Time now, QueueEffects* effects);

  // nullopt: it waits, and `effects` of a later operation answer its wait_id.
  //   QUEUE_DELETED
  absl::StatusOr<std::optional<GetResult>> Get(const GetParams& params,
                                               absl::Time now,
                                               QueueEffects* effects);
  // Answers a waiting get with nothing.
  void EndGetWait(uint64_t wait_id, QueueEffects* effects);

  // CONSUMER_EXCLUSIVE (CONS-04, SAC-04), INVALID_ARGUMENT_VALUE (PRIOC-02),
  // FEATURE_UNSUPPORTED (QUORUM-05), CONFLICTING_ARGUMENT, QUEUE_DELETED.
  absl::StatusOr<ConsumerId> Consume(ConsumeParams params, absl::Time now,
                                     QueueEffects* effects);
  // Closes an auto_delete queue with its last consumer (QLIFE-03).
  void CancelConsumer(ConsumerId id, absl::Time now, QueueEffects* effects);
  void UpdateConsumer(const UpdateConsumerParams& params, absl::Time now,
                      QueueEffects* effects);
  void GrantCredit(const GrantCreditParams& params, absl::Time now,
                   QueueEffects* effects);
  // The sinks of these have room again.
  void Resume(absl::Span<const ConsumerId> ids, absl::Time now,
              QueueEffects* effects);

  // The ids that were not out.
  std::vector<uint64_t> Settle(SettleAction action,
                               absl::Span<const uint64_t> delivery_ids,
                               absl::Time now, QueueEffects* effects);
  // The sink is gone and hears nothing more: its consumers and waiting gets
  // end. Release is to follow: until then nobody else gets a turn for it.
  void RemoveReceivers(const DeliverySink* sink, absl::Time now,
                       QueueEffects* effects);
  // The same, and what it holds goes back to its place. How many that were.
  uint64_t Release(const DeliverySink* sink, absl::Time now,
                   QueueEffects* effects);

  // What became of letters that effects named by id.
  void OnLetterFates(absl::Span<const LetterFate> fates, absl::Time now,
                     QueueEffects* effects);

  // Drops the ready messages (QPURGE-01); how many that were.
  uint64_t Purge(QueueEffects* effects);
  // Closes. The number of ready messages; nullopt if it had closed already.
  //   QUEUE_IN_USE, QUEUE_NOT_EMPTY (QDEL-03)
  absl::StatusOr<std::optional<uint64_t>> Delete(bool if_unused, bool if_empty,
                                                 QueueEffects* effects);
  // The queue was redeclared (QEXP-03).
  void Touch(absl::Time now);
  // What a policy makes of the queue's arguments (POLICY-04): acts at once, but
  // messages keep the deadlines they have. What no policy can change (type,
  // priorities, single active consumer) is passed over.
  void ApplyArguments(QueueArguments effective, absl::Time now,
                      QueueEffects* effects);

  // To be called at or after next_wake().
  void OnTime(absl::Time now, QueueEffects* effects);
  // InfiniteFuture: no need.
  absl::Time next_wake() const;

  bool closed() const { return closed_.has_value(); }
  size_t ready_count() const { return ready_.size(); }
  size_t unacked_count() const { return unacked_.size(); }
  // Of bodies: ready, out, or kept for later.
  uint64_t message_bytes() const {
    return ready_.bytes() + unacked_bytes_ + returns_.bytes() +
           letters_.bytes();
  }
  size_t consumer_count() const { return consumers_.size(); }
  // Since when no one consumes, declares or gets; InfinitePast: someone
  // consumes.
  absl::Time unused_since() const;
  size_t holder_count() const { return holders_.size(); }
  std::vector<ConsumerInfo> ListConsumers() const;  // by registration
  // Those that hold now.
  const QueueArguments& arguments() const { return arguments_; }

 private:
  // ---- Messages in (queue_core.cc) ----
  // When a message that comes now expires (TTL-04).
  Deadline ExpiryOf(const Message& message, absl::Time now) const {
    const bool never =
        !arguments_.message_ttl.has_value() && !message.marks().has_expiration;
    return never ? Deadline() : ExpiryWithTtl(message, now);
  }
  Deadline ExpiryWithTtl(const Message& message, absl::Time now) const;
  // What the last message to come has to go through, in RabbitMQ's order.
  void Admit(absl::Time now, QueueEffects* effects);
  // The head goes while it is over its time, or over the limit.
  void DropExpired(absl::Time now, QueueEffects* effects) {
    if (!ready_.HeadExpires().is_never()) DropExpiredHeads(now, effects);
  }
  void DropExpiredHeads(absl::Time now, QueueEffects* effects);
  void DropOverLimit(absl::Time now, QueueEffects* effects);

  // ---- What comes back, and what dies (queue_core_returns.cc) ----
  // The queue is done with a message that was not acked.
  void Die(MessageRef message, DeathReason reason, absl::Time now,
           QueueEffects* effects);
  // Has the letters published whose turn it is.
  void SendKeptLetters(absl::Time now, QueueEffects* effects) {
    if (letters_.size() > 0) letters_.TakeDue(now, &effects->dead);
  }
  // Ends what counts a delivery as out, other than `unacked_` itself.
  void Uncount(const UnackedDelivery& delivery);
  void ReturnToPlace(UnackedDelivery delivery, ReturnCause cause,
                     absl::Time now, QueueEffects* effects);
  // Takes what the sink holds out of `unacked_`; how many that were.
  size_t TakeHeldBy(const DeliverySink* sink,
                    absl::FunctionRef<void(UnackedDelivery delivery)> visit);

  // ---- The end (queue_core.cc) ----
  // From when on the queue counts as unused for its expiry.
  absl::Time LeaseStart() const { return std::max(last_use_, lease_start_); }
  void Close(CancelReason reason, QueueEffects* effects);
  absl::Status ClosedError() const;
  absl::Status UseError(Reason reason, absl::string_view what) const;
  void AddEvent(HolderIndex holder, QueueEffects::Event what,
                QueueEffects* effects);

  // ---- Who receives them (queue_core_receivers.cc) ----
  Consumer* FindConsumer(ConsumerId id);
  // Gives the head to whose turn it is for as long as somebody can take it.
  void Dispatch(absl::Time now, QueueEffects* effects);
  // One turn; false: nobody can take the head. Not when there is none.
  bool OfferHead(absl::Time now, QueueEffects* effects);
  void DeliverHead(Consumer* consumer, absl::Time now, QueueEffects* effects);
  // How many of those behind the head are likely to go to the same consumer.
  size_t MayFollow(const Consumer& consumer) const;
  // The head as a delivery to `holder`.
  Delivery TakeHead(HolderIndex holder, ConsumerId consumer_id,
                    Deadline deadline);
  void AnswerWaitingGet(WaitingGet* get, absl::Time now, QueueEffects* effects);
  absl::Status CheckConsume(const ConsumeParams& params) const;
  void RemoveConsumer(Consumer* consumer, absl::Time now,
                      QueueEffects* effects);
  void RemoveWaitingGet(WaitingGet* get, absl::StatusOr<GetResult> result,
                        QueueEffects* effects);
  // Answers drains that are complete (engine.h, CreditDrained).
  void FinishDrains(QueueEffects* effects);

  const QueueSpec spec_;
  QueueArguments arguments_;
  LengthLimit limit_;                       // as arguments_ say
  std::optional<uint64_t> delivery_limit_;  // likewise
  const std::string vhost_;
  RoomSource* const room_;

  ReadyList ready_;
  Unacked unacked_;
  uint64_t unacked_bytes_ = 0;  // of bodies
  DelayedReturns returns_;      // neither ready nor out
  KeptLetters letters_;
  Holders holders_;
  Dispatcher dispatcher_;
  std::optional<SingleActive> single_active_;
  std::optional<PresentKeys> present_keys_;  // PLUG-07
  absl::btree_map<ConsumerId, std::unique_ptr<Consumer>> consumers_;
  std::map<uint64_t, std::unique_ptr<WaitingGet>> waiting_gets_;
  std::vector<ConsumerId> draining_;
  ConsumerId last_consumer_id_ = 0;
  absl::Time last_use_;  // by a declare, a get or a consumer that left
  // When `expires` was set by a policy.
  absl::Time lease_start_ = absl::InfinitePast();
  std::optional<CancelReason> closed_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_QUEUE_CORE_H_
