#include "service/queue/queue.h"

#include <cassert>
#include <limits>
#include <utility>

namespace kelpmq::service {
namespace {

constexpr int64_t kInUse = std::numeric_limits<int64_t>::min();

// Of a spec that has been validated.
QueueArguments MustParse(const QueueSpec& spec, absl::string_view vhost) {
  absl::StatusOr<QueueArguments> arguments = ParseQueueArguments(spec, vhost);
  return std::move(arguments).value();
}

}  // namespace

std::shared_ptr<Queue> Queue::Create(QueueSpec spec, OwnerId owner,
                                     QueueEnvironment environment) {
  QueueArguments arguments = MustParse(spec, environment.vhost);
  std::shared_ptr<Queue> queue(new Queue(std::move(spec), std::move(arguments),
                                         owner, std::move(environment)));
  queue->Post([queue = queue.get()] {
    queue->PublishCounts();
    queue->ArmTimer();
  });
  return queue;
}

Queue::Queue(QueueSpec spec, QueueArguments arguments, OwnerId owner,
             QueueEnvironment environment)
    : spec_(std::move(spec)),
      arguments_(std::move(arguments)),
      owner_(owner),
      environment_(std::move(environment)),
      strand_(environment_.executor),
      core_(spec_, arguments_, environment_.vhost, &room_, Now()) {}

Queue::~Queue() {
  if (timer_ != TimerQueue::kNoTimer) environment_.timers->Cancel(timer_);
}

absl::Status Queue::CheckAccess(OwnerId caller) const {
  if (!spec_.exclusive || caller == owner_) return absl::OkStatus();
  return ResourceLockedError(spec_.name, environment_.vhost);
}

QueueInfo Queue::info() const {
  QueueInfo info;
  info.spec = spec_;
  info.owner = owner_;
  info.messages_ready = ready_count_.load(std::memory_order_relaxed);
  info.messages_unacked = unacked_count_.load(std::memory_order_relaxed);
  info.message_bytes = message_bytes_.load(std::memory_order_relaxed);
  info.consumer_count = consumer_count_.load(std::memory_order_relaxed);
  const int64_t unused_since = unused_since_us_.load(std::memory_order_relaxed);
  info.idle_since = unused_since == kInUse ? absl::InfinitePast()
                                           : absl::FromUnixMicros(unused_since);
  return info;
}

// ---- Calls ----

void Queue::Enqueue(std::vector<MessageRef> messages,
                    absl::AnyInvocable<void(std::vector<uint32_t>)> done) {
  Post([this, messages = std::move(messages),
        done = std::move(done)]() mutable {
    QueueEffects effects;
    std::vector<uint32_t> refused =
        core_.Enqueue(std::move(messages), Now(), &effects);
    PublishCounts();
    if (effects.dead.empty()) {
      CarryOut(std::move(effects));
      return done(std::move(refused));
    }
    CarryOut(std::move(effects),
             [refused = std::move(refused), done = std::move(done)]() mutable {
               done(std::move(refused));
             });
  });
}

void Queue::WhenRelieved(Closure done) {
  Post([this, done = std::move(done)]() mutable {
    if (IsRelieved() || waiting_for_relief_.size() >= kMaxWaitingForRelief) {
      return std::move(done)();
    }
    waiting_for_relief_.push_back(std::move(done));
  });
}

void Queue::Get(GetParams params, Done<GetResult> done) {
  Post([this, params = std::move(params), done = std::move(done)]() mutable {
    QueueEffects effects;
    absl::StatusOr<std::optional<GetResult>> result =
        core_.Get(params, Now(), &effects);
    PublishCounts();
    CarryOut(std::move(effects));
    if (!result.ok()) {
      done(std::move(result).status());
    } else if (!result->has_value()) {
      waiting_gets_.emplace(params.wait_id, std::move(done));
    } else {
      (*result)->queue = shared_from_this();
      done(**std::move(result));
    }
  });
}

void Queue::EndGetWait(uint64_t wait_id) {
  Post([this, wait_id] {
    QueueEffects effects;
    core_.EndGetWait(wait_id, &effects);
    CarryOut(std::move(effects));
  });
}

void Queue::Consume(ConsumeParams params, Done<ConsumerId> done) {
  Post([this, params = std::move(params), done = std::move(done)]() mutable {
    QueueEffects effects;
    absl::StatusOr<ConsumerId> id =
        core_.Consume(std::move(params), Now(), &effects);
    PublishCounts();
    // First, so that the caller knows the consumer when deliveries come.
    done(std::move(id));
    CarryOut(std::move(effects));
  });
}

void Queue::CancelConsumer(ConsumerId consumer, DoneStatus done) {
  Post([this, consumer, done = std::move(done)]() mutable {
    QueueEffects effects;
    core_.CancelConsumer(consumer, Now(), &effects);
    PublishCounts();
    CarryOut(std::move(effects));
    done(absl::OkStatus());
  });
}

void Queue::UpdateConsumer(UpdateConsumerParams params, DoneStatus done) {
  Post([this, params = std::move(params), done = std::move(done)]() mutable {
    QueueEffects effects;
    core_.UpdateConsumer(params, Now(), &effects);
    PublishCounts();
    CarryOut(std::move(effects));
    done(absl::OkStatus());
  });
}

void Queue::GrantCredit(GrantCreditParams params, DoneStatus done) {
  Post([this, params = std::move(params), done = std::move(done)]() mutable {
    QueueEffects effects;
    core_.GrantCredit(params, Now(), &effects);
    PublishCounts();
    CarryOut(std::move(effects));
    done(absl::OkStatus());
  });
}

void Queue::Resume(std::vector<ConsumerId> consumers) {
  Post([this, consumers = std::move(consumers)] {
    QueueEffects effects;
    core_.Resume(consumers, Now(), &effects);
    PublishCounts();
    CarryOut(std::move(effects));
  });
}

void Queue::Settle(SettleAction action, std::vector<uint64_t> delivery_ids,
                   absl::AnyInvocable<void(std::vector<uint64_t>)> done) {
  Post([this, action, delivery_ids = std::move(delivery_ids),
        done = std::move(done)]() mutable {
    QueueEffects effects;
    std::vector<uint64_t> lost =
        core_.Settle(action, delivery_ids, Now(), &effects);
    PublishCounts();
    if (effects.dead.empty()) {
      CarryOut(std::move(effects));
      return done(std::move(lost));
    }
    CarryOut(std::move(effects),
             [lost = std::move(lost), done = std::move(done)]() mutable {
               done(std::move(lost));
             });
  });
}

void Queue::RemoveReceivers(SinkRef sink, Closure done) {
  Post([this, sink = std::move(sink), done = std::move(done)]() mutable {
    QueueEffects effects;
    core_.RemoveReceivers(sink.get(), Now(), &effects);
    PublishCounts();
    CarryOut(std::move(effects));
    std::move(done)();
  });
}

void Queue::Release(SinkRef sink, absl::AnyInvocable<void(uint64_t)> done) {
  Post([this, sink = std::move(sink), done = std::move(done)]() mutable {
    QueueEffects effects;
    const uint64_t requeued = core_.Release(sink.get(), Now(), &effects);
    PublishCounts();
    CarryOut(std::move(effects),
             [requeued, done = std::move(done)]() mutable { done(requeued); });
  });
}

void Queue::Purge(absl::AnyInvocable<void(uint64_t)> done) {
  Post([this, done = std::move(done)]() mutable {
    QueueEffects effects;
    const uint64_t dropped = core_.Purge(&effects);
    PublishCounts();
    CarryOut(std::move(effects));
    done(dropped);
  });
}

void Queue::Delete(bool if_unused, bool if_empty,
                   Done<std::optional<uint64_t>> done) {
  Post([this, if_unused, if_empty, done = std::move(done)]() mutable {
    QueueEffects effects;
    absl::StatusOr<std::optional<uint64_t>> ready =
        core_.Delete(if_unused, if_empty, &effects);
    PublishCounts();
    CarryOut(std::move(effects));
    done(std::move(ready));
  });
}

void Queue::Abandon() {
  Post([this] {
    environment_.on_closed = nullptr;
    QueueEffects unheard;
    core_.Delete(/*if_unused=*/false, /*if_empty=*/false, &unheard)
        .IgnoreError();  // without conditions it cannot fail
    waiting_gets_.clear();
    waiting_for_relief_.clear();
    ArmTimer();
  });
}

void Queue::Touch() {
  Post([this] {
    core_.Touch(Now());
    PublishCounts();
    ArmTimer();
  });
}

void Queue::ApplyArguments(QueueArguments effective, Closure done) {
  Post([this, effective = std::move(effective),
        done = std::move(done)]() mutable {
    QueueEffects effects;
    core_.ApplyArguments(std::move(effective), Now(), &effects);
    PublishCounts();
    CarryOut(std::move(effects), std::move(done));
  });
}

void Queue::ListConsumers(
    absl::AnyInvocable<void(std::vector<ConsumerInfo>)> done) {
  Post([this, done = std::move(done)]() mutable {
    done(core_.ListConsumers());
  });
}

// ---- On the strand ----

void Queue::Post(Closure closure) {
  strand_.Post(shared_from_this(), std::move(closure));
}

void Queue::PublishCounts() {
  assert(strand_.IsCurrent());
  ready_count_.store(core_.ready_count(), std::memory_order_relaxed);
  unacked_count_.store(core_.unacked_count(), std::memory_order_relaxed);
  message_bytes_.store(core_.message_bytes(), std::memory_order_relaxed);
  consumer_count_.store(static_cast<uint32_t>(core_.consumer_count()),
                        std::memory_order_relaxed);
  const absl::Time unused_since = core_.unused_since();
  unused_since_us_.store(unused_since == absl::InfinitePast()
                             ? kInUse
                             : absl::ToUnixMicros(unused_since),
                         std::memory_order_relaxed);
}

void Queue::CarryOut(QueueEffects&& effects) {
  CarryOutHere(&effects);
  if (!effects.dead.empty()) PublishDead(std::move(effects.dead), nullptr);
}

void Queue::CarryOut(QueueEffects&& effects, Closure then) {
  CarryOutHere(&effects);
  if (effects.dead.empty()) {
    std::move(then)();
  } else {
    PublishDead(std::move(effects.dead), std::move(then));
  }
}

void Queue::CarryOutHere(QueueEffects* effects) {
  assert(strand_.IsCurrent());
  room_.GiveBack();
  // First: whoever hears below that the queue is gone may declare it anew.
  if (effects->closed.has_value()) {
    auto on_closed = std::exchange(environment_.on_closed, nullptr);
    if (on_closed != nullptr) on_closed(shared_from_this(), *effects->closed);
  }
  for (QueueEffects::SinkEvent& event : effects->events) {
    CarryOut(std::move(event));
  }
  for (QueueEffects::AnsweredGet& answer : effects->answered) {
    auto waiting = waiting_gets_.find(answer.wait_id);
    Done<GetResult> done = std::move(waiting->second);
    waiting_gets_.erase(waiting);
    if (answer.result.ok()) answer.result->queue = shared_from_this();
    done(std::move(answer.result));
  }
  ArmTimer();
  if (!waiting_for_relief_.empty() && IsRelieved()) TellRelief();
}

void Queue::TellRelief() {
  for (Closure& waiting : std::exchange(waiting_for_relief_, {})) {
    std::move(waiting)();
  }
}

void Queue::PublishDead(std::vector<DeadMessage> dead, Closure then) {
  if (environment_.on_dead_letters == nullptr) {
    if (then != nullptr) std::move(then)();
    return;
  }
  environment_.on_dead_letters(
      MakeDeadLetters(std::move(dead)),
      [self = shared_from_this(),
       then = std::move(then)](std::vector<LetterFate> fates) mutable {
        if (fates.empty()) {
          if (then != nullptr) std::move(then)();
          return;
        }
        self->Post([self = self.get(), fates = std::move(fates),
                    then = std::move(then)]() mutable {
          self->OnLetterFates(fates);
          if (then != nullptr) std::move(then)();
        });
      });
}

void Queue::OnLetterFates(const std::vector<LetterFate>& fates) {
  QueueEffects effects;
  core_.OnLetterFates(fates, Now(), &effects);
  PublishCounts();
  CarryOut(std::move(effects));
}

std::vector<DeadLetter> Queue::MakeDeadLetters(
    std::vector<DeadMessage> dead) const {
  const QueueArguments& arguments = core_.arguments();
  const DeadLetterRoute route{spec_.name, *arguments.dead_letter_exchange,
                              arguments.dead_letter_routing_key};
  std::vector<DeadLetter> letters;
  letters.reserve(dead.size());
  for (DeadMessage& one : dead) {
    letters.push_back(
        {MakeDeadLetter(*one.message, one.reason, route, one.time),
         one.letter_id, std::move(one.reached)});
  }
  return letters;
}

void Queue::CarryOut(QueueEffects::SinkEvent event) {
  DeliverySink& sink = *event.sink;
  if (auto* deliver = std::get_if<QueueEffects::Deliver>(&event.what)) {
    sink.Deliver(deliver->consumer_key, std::move(deliver->deliveries));
  } else if (auto* cancel = std::get_if<QueueEffects::Cancel>(&event.what)) {
    sink.ConsumerCancelled(cancel->consumer_key, cancel->reason,
                           std::move(cancel->error), cancel->required_bytes);
  } else if (auto* lose = std::get_if<QueueEffects::Lose>(&event.what)) {
    sink.DeliveriesLost(shared_from_this(), lose->delivery_ids, lose->reason);
  } else if (auto* drained = std::get_if<QueueEffects::Drained>(&event.what)) {
    sink.CreditDrained(drained->consumer_key, drained->unused_credit);
  }
}

void Queue::ArmTimer() {
  const absl::Time wake = core_.next_wake();
  // A timer that comes too early finds nothing due and arms the next one: that
  // is cheaper than moving it with every get or ack.
  if (timer_time_ <= wake && !core_.closed()) return;
  if (timer_ != TimerQueue::kNoTimer) environment_.timers->Cancel(timer_);
  timer_ = TimerQueue::kNoTimer;
  timer_time_ = wake;
  if (wake == absl::InfiniteFuture()) return;
  timer_ = environment_.timers->Schedule(wake, [weak = weak_from_this()] {
    if (auto queue = weak.lock()) {
      queue->Post([queue = queue.get()] { queue->OnTimer(); });
    }
  });
}

void Queue::OnTimer() {
  timer_ = TimerQueue::kNoTimer;
  timer_time_ = absl::InfiniteFuture();
  QueueEffects effects;
  core_.OnTime(Now(), &effects);
  PublishCounts();
  CarryOut(std::move(effects));
}

}  // namespace kelpmq::service
