#ifndef KELPMQ_SERVICE_QUEUE_QUEUE_H_
#define KELPMQ_SERVICE_QUEUE_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/strand.h"
#include "service/base/timer_queue.h"
#include "service/base/types.h"
#include "service/engine/engine.h"
#include "service/queue/queue_core.h"
#include "service/queue/sink_room.h"

namespace kelpmq::service {

// What a queue needs of its surroundings. All outlive the queue.
struct QueueEnvironment {
  const Clock* clock = nullptr;
  TimerQueue* timers = nullptr;
  Executor* executor = nullptr;
  std::string vhost;  // for error texts
  // The queue has closed for good (deleted, auto-deleted, expired): take it off
  // the tables. Called once, on the strand, before sinks and waiting gets hear
  // of it and before the call that caused it completes; holds no lock.
  absl::AnyInvocable<void(const QueueRef&, CancelReason)> on_closed;
  // Publishes messages that died in this queue, each with the dead-letter
  // exchange as its exchange; `done` is to run once their targets have taken or
  // refused them, with the fates of those that have an id. Called on the
  // strand; holds no lock. Null: they are dropped.
  using LettersDone = absl::AnyInvocable<void(std::vector<LetterFate>)>;
  absl::AnyInvocable<void(std::vector<DeadLetter>, LettersDone)>
      on_dead_letters;
};

// One queue, callable from any thread: a strand, a QueueCore, and the carrying
// out of the core's effects. Each call posts to the strand, and its completion
// runs there; or, if messages died of it, on the strand of the last queue that
// took a dead letter. After the queue has closed every call still completes:
// QUEUE_DELETED where the caller must know, else as if nothing was there.
class Queue : public QueueHandle,
              public RouteTarget,
              public std::enable_shared_from_this<Queue> {
 public:
  // `owner` is the session of an exclusive queue, else kNoOwner. `spec` has
  // been validated (queue_arguments.h).
  static std::shared_ptr<Queue> Create(QueueSpec spec, OwnerId owner,
                                       QueueEnvironment environment);
  ~Queue() override;

  const std::string& name() const override { return spec_.name; }
  const QueueSpec& spec() const { return spec_; }
  OwnerId owner() const { return owner_; }
  // RESOURCE_LOCKED (405) if the queue is exclusive to somebody else
  // (QLIFE-01).
  absl::Status CheckAccess(OwnerId caller) const;
  // As of the last completed call. Any thread, never waits.
  QueueInfo info() const;

  // In the order given. `done` gets the indexes of messages that the queue
  // refused (LEN-06), once what had to give way to the others has reached the
  // dead-letter exchange.
  void Enqueue(std::vector<MessageRef> messages,
               absl::AnyInvocable<void(std::vector<uint32_t>)> done);
  // Whether its consumers fall behind its publishers, as of the last completed
  // call. Any thread, never waits.
  bool IsCrowded() const {
    return ready_count_.load(std::memory_order_relaxed) > kCrowded &&
           consumer_count_.load(std::memory_order_relaxed) > 0;
  }
  // See Engine.
  void WhenRelieved(Closure done);
  void Get(GetParams params, Done<GetResult> done);
  void EndGetWait(uint64_t wait_id);
  void Consume(ConsumeParams params, Done<ConsumerId> done);
  void CancelConsumer(ConsumerId consumer, DoneStatus done);
  void UpdateConsumer(UpdateConsumerParams params, DoneStatus done);
  void GrantCredit(GrantCreditParams params, DoneStatus done);
  void Resume(std::vector<ConsumerId> consumers);
  // `done` gets the ids that were not out.
  void Settle(SettleAction action, std::vector<uint64_t> delivery_ids,
              absl::AnyInvocable<void(std::vector<uint64_t>)> done);
  // Removes the sink's consumers and waiting gets. Release is to follow.
  void RemoveReceivers(SinkRef sink, Closure done);
  // The same, and requeues all it holds; `done` gets how many.
  void Release(SinkRef sink, absl::AnyInvocable<void(uint64_t)> done);
  void Purge(absl::AnyInvocable<void(uint64_t)> done);  // messages dropped
  // QUEUE_IN_USE, QUEUE_NOT_EMPTY (QDEL-03). The result counts ready messages;
  // nullopt: it had closed already.
  void Delete(bool if_unused, bool if_empty,
              Done<std::optional<uint64_t>> done);
  // The engine is going: lets go of messages, sinks and waiting gets, and tells
  // nobody. A sink that holds deliveries owns the queue that owns the sink, so
  // without this neither would ever be freed.
  void Abandon();
  // A redeclare renews an expiring queue's lease (QEXP-03).
  void Touch();
  // What its arguments are by its declaration alone.
  const QueueArguments& declared_arguments() const { return arguments_; }
  // Lets other arguments hold than those of the declaration, as a policy makes
  // them: see QueueCore::ApplyArguments. To undo it, pass declared_arguments.
  // Its texts are valid UTF-8 of at most kMaxNameBytes bytes.
  void ApplyArguments(QueueArguments effective, Closure done);
  void ListConsumers(absl::AnyInvocable<void(std::vector<ConsumerInfo>)> done);

 private:
  // Ready messages: what consumers at full speed take in a few milliseconds,
  // and what fits the caches, with half of it left when publishers go on (ADR
  // 14).
  static constexpr uint64_t kCrowded = 4096;
  static constexpr uint64_t kRelieved = kCrowded / 2;
  static constexpr size_t kMaxWaitingForRelief = 1024;

  Queue(QueueSpec spec, QueueArguments arguments, OwnerId owner,
        QueueEnvironment environment);

  void Post(Closure closure);
  absl::Time Now() const { return environment_.clock->Now(); }
  // All below runs on the strand. After each operation come PublishCounts, so
  // that info() is right once a completion runs, and CarryOut.
  void PublishCounts();
  bool IsRelieved() const {
    return core_.ready_count() <= kRelieved || core_.consumer_count() == 0;
  }
  void TellRelief();
  void CarryOut(QueueEffects&& effects);
  // `then` runs when dead letters, if there are any, are where they belong.
  void CarryOut(QueueEffects&& effects, Closure then);
  // All but dead letters.
  void CarryOutHere(QueueEffects* effects);
  void PublishDead(std::vector<DeadMessage> dead, Closure then);
  void CarryOut(QueueEffects::SinkEvent event);
  std::vector<DeadLetter> MakeDeadLetters(std::vector<DeadMessage> dead) const;
  void OnLetterFates(const std::vector<LetterFate>& fates);
  // Sees to it that OnTimer runs in time: no later than the core's next_wake.
  void ArmTimer();
  void OnTimer();

  const QueueSpec spec_;
  const QueueArguments arguments_;
  const OwnerId owner_;
  QueueEnvironment environment_;
  Strand strand_;
  SinkRoom room_;

  // On the strand.
  QueueCore core_;
  absl::flat_hash_map<uint64_t, Done<GetResult>> waiting_gets_;
  std::vector<Closure> waiting_for_relief_;
  TimerQueue::TimerId timer_ = TimerQueue::kNoTimer;
  absl::Time timer_time_ = absl::InfiniteFuture();

  // What info() shows.
  std::atomic<uint64_t> ready_count_{0};
  std::atomic<uint64_t> unacked_count_{0};
  std::atomic<uint64_t> message_bytes_{0};
  std::atomic<uint32_t> consumer_count_{0};
  std::atomic<int64_t> unused_since_us_{0};  // since 1970; kInUse: in use
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_QUEUE_H_
