#ifndef KELPMQ_SERVICE_QUEUE_QUEUE_CORE_H_
#define KELPMQ_SERVICE_QUEUE_QUEUE_CORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/base/error.h"
#include "service/base/types.h"
#include "service/engine/engine.h"
#include "service/queue/dispatcher.h"
#include "service/queue/holders.h"
#include "service/queue/queue_arguments.h"
#include "service/queue/ready_list.h"
#include "service/queue/unacked.h"

namespace kelpmq::service {

// Asked before each delivery to a consumer; DeliverySink::TryReserve behind it.
class RoomSource {
 public:
  virtual ~RoomSource() = default;
  virtual bool TryReserve(DeliverySink& sink, uint32_t consumer_key,
                          size_t bytes) = 0;
};

// What is to be done after an operation.
struct QueueEffects {
  // One call of DeliverySink each.
  struct Deliver {
    uint32_t consumer_key = 0;
    std::vector<Delivery> deliveries;
  };
  struct Cancel {
    uint32_t consumer_key = 0;
    CancelReason reason = CancelReason::kQueueDeleted;
    absl::Status error;
    uint64_t required_bytes = 0;
  };
  struct Lose {
    std::vector<uint64_t> delivery_ids;  // rising
    LostReason reason = LostReason::kQueueDeleted;
  };
  struct Drained {
    uint32_t consumer_key = 0;
    uint32_t unused_credit = 0;
  };
  struct SinkEvent {
    SinkRef sink;
    std::variant<Deliver, Cancel, Lose, Drained> what;
  };
  struct AnsweredGet {
    uint64_t wait_id = 0;
    absl::StatusOr<GetResult> result;  // `queue` is left to the shell
  };

  // In order. Deliveries that follow each other at one sink and one consumer
  // are one event, whatever happened at other sinks in between.
  std::vector<SinkEvent> events;
  std::vector<AnsweredGet> answered;
  // The queue closed during this operation.
  std::optional<CancelReason> closed;
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

  // Puts messages behind all others, in their order.
  void Enqueue(std::vector<MessageRef> messages, absl::Time now,
               QueueEffects* effects);

  // nullopt: it waits, and `effects` of a later operation answer its wait_id.
  //   QUEUE_DELETED
  absl::StatusOr<std::optional<GetResult>> Get(const GetParams& params,
                                               absl::Time now,
                                               QueueEffects* effects);
  // Answers a waiting get with nothing.
  void EndGetWait(uint64_t wait_id, QueueEffects* effects);

  // CONSUMER_EXCLUSIVE (CONS-04), INVALID_ARGUMENT_VALUE (PRIOC-02),
  // CONFLICTING_ARGUMENT, QUEUE_DELETED.
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
  // end, what it holds goes back to its place. How many that were.
  uint64_t Release(const DeliverySink* sink, absl::Time now,
                   QueueEffects* effects);

  // Drops the ready messages (QPURGE-01); how many that were.
  uint64_t Purge(QueueEffects* effects);
  // Closes. The number of ready messages; nullopt if it had closed already.
  //   QUEUE_IN_USE, QUEUE_NOT_EMPTY (QDEL-03)
  absl::StatusOr<std::optional<uint64_t>> Delete(bool if_unused, bool if_empty,
                                                 QueueEffects* effects);
  // The queue was redeclared (QEXP-03).
  void Touch(absl::Time now);

  // To be called at or after next_wake().
  void OnTime(absl::Time now, QueueEffects* effects);
  // InfiniteFuture: no need.
  absl::Time next_wake() const;

  bool closed() const { return closed_.has_value(); }
  size_t ready_count() const { return ready_.size(); }
  size_t unacked_count() const { return unacked_.size(); }
  uint64_t message_bytes() const { return message_bytes_; }  // bodies
  size_t consumer_count() const { return consumers_.size(); }
  // Since when no one consumes, declares or gets; InfinitePast: someone
  // consumes.
  absl::Time unused_since() const;
  size_t holder_count() const { return holders_.size(); }
  std::vector<ConsumerInfo> ListConsumers() const;  // by registration

 private:
  struct Consumer;
  struct WaitingGet;

  Consumer* FindConsumer(ConsumerId id);
  // Gives the head to whose turn it is for as long as somebody can take it.
  void Dispatch(absl::Time now, QueueEffects* effects);
  void DeliverHead(Consumer* consumer, absl::Time now, QueueEffects* effects);
  // The head as a delivery to `holder`.
  Delivery TakeHead(HolderIndex holder, ConsumerId consumer_id,
                    absl::Time deadline);
  void AnswerWaitingGet(WaitingGet* get, QueueEffects* effects);
  // Ends what counts a delivery as out, other than `unacked_` itself.
  void Uncount(const UnackedDelivery& delivery);
  void ReturnToPlace(UnackedDelivery delivery);
  void Forget(const Message& message);
  void RemoveConsumer(Consumer* consumer, absl::Time now,
                      QueueEffects* effects);
  void RemoveWaitingGet(WaitingGet* get, absl::StatusOr<GetResult> result,
                        QueueEffects* effects);
  // Answers drains that are complete (engine.h, CreditDrained).
  void FinishDrains(QueueEffects* effects);
  void Close(CancelReason reason, QueueEffects* effects);
  absl::Status ClosedError() const;
  absl::Status UseError(Reason reason, absl::string_view what) const;
  void AddEvent(HolderIndex holder,
                std::variant<QueueEffects::Deliver, QueueEffects::Cancel,
                             QueueEffects::Lose, QueueEffects::Drained>
                    what,
                QueueEffects* effects);

  const QueueSpec spec_;
  const QueueArguments arguments_;
  const std::string vhost_;
  RoomSource* const room_;

  ReadyList ready_;
  Unacked unacked_;
  Holders holders_;
  Dispatcher dispatcher_;
  absl::btree_map<ConsumerId, std::unique_ptr<Consumer>> consumers_;
  std::map<uint64_t, std::unique_ptr<WaitingGet>> waiting_gets_;
  std::vector<ConsumerId> draining_;
  ConsumerId last_consumer_id_ = 0;
  uint64_t message_bytes_ = 0;
  absl::Time last_use_;  // by a declare, a get or a consumer that left
  std::optional<CancelReason> closed_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_QUEUE_CORE_H_
