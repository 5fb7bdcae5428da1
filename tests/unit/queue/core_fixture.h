#ifndef KELPMQ_TESTS_UNIT_QUEUE_CORE_FIXTURE_H_
#define KELPMQ_TESTS_UNIT_QUEUE_CORE_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "service/queue/queue_core.h"
#include "tests/testing/message_encoder.h"
#include "tests/testing/plain_message.h"
#include "tests/testing/reason_of.h"
#include "tests/testing/recording_sink.h"

namespace kelpmq::service::testing {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

// One queue's core, with effects carried out on recording sinks.
class CoreTest : public ::testing::Test {
 protected:
  // A queue `q` in vhost `v`; without a call: a plain one.
  void Make(Table arguments, bool auto_delete = false) {
    QueueSpec spec;
    spec.name = "q";
    spec.durable = true;
    spec.auto_delete = auto_delete;
    spec.arguments = std::move(arguments);
    auto parsed = ParseQueueArguments(spec, "v");
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    core_ = std::make_unique<QueueCore>(spec, *parsed, "v", &room_, now_);
  }
  QueueCore& core() {
    if (core_ == nullptr) Make({});
    return *core_;
  }

  static std::shared_ptr<RecordingSink> MakeSink() {
    return std::make_shared<RecordingSink>();
  }

  // The indexes that the queue refused.
  std::vector<uint32_t> PublishMessages(std::vector<MessageRef> messages) {
    QueueEffects effects;
    std::vector<uint32_t> refused =
        core().Enqueue(std::move(messages), now_, &effects);
    CarryOut(effects);
    return refused;
  }
  std::vector<uint32_t> Publish(const std::vector<std::string>& bodies) {
    std::vector<MessageRef> messages;
    for (const std::string& body : bodies) {
      messages.push_back(PlainMessage("", "q", body));
    }
    return PublishMessages(std::move(messages));
  }
  void PublishWithExpiration(const std::string& body,
                             const std::string& expiration) {
    MessageParts parts;
    parts.body = body;
    parts.expiration = expiration;
    PublishMessages({MessageOf(parts)});
  }
  void PublishWithPriority(const std::string& body, uint8_t priority) {
    MessageParts parts;
    parts.body = body;
    parts.priority = priority;
    PublishMessages({MessageOf(parts)});
  }
  void Apply(const QueueArguments& arguments) {
    QueueEffects effects;
    core().ApplyArguments(arguments, now_, &effects);
    CarryOut(effects);
  }

  // A consumer of `sink` under key 0; `set` changes its parameters.
  using SetConsume = std::function<void(ConsumeParams&)>;
  absl::StatusOr<ConsumerId> TryConsume(const SinkRef& sink, SetConsume set) {
    ConsumeParams params;
    params.sink = sink;
    set(params);
    QueueEffects effects;
    absl::StatusOr<ConsumerId> id =
        core().Consume(std::move(params), now_, &effects);
    CarryOut(effects);
    return id;
  }
  ConsumerId Consume(const SinkRef& sink, SetConsume set) {
    absl::StatusOr<ConsumerId> id = TryConsume(sink, std::move(set));
    EXPECT_TRUE(id.ok()) << id.status();
    return id.value_or(0);
  }
  ConsumerId Consume(const SinkRef& sink, uint32_t prefetch_count = 0) {
    return Consume(sink, SetConsume([prefetch_count](ConsumeParams& params) {
                     params.prefetch_count = prefetch_count;
                   }));
  }
  void Cancel(ConsumerId id) {
    QueueEffects effects;
    core().CancelConsumer(id, now_, &effects);
    CarryOut(effects);
  }
  template <typename Set>
  void Update(ConsumerId id, Set set) {
    UpdateConsumerParams params;
    params.consumer.consumer_id = id;
    set(params);
    QueueEffects effects;
    core().UpdateConsumer(params, now_, &effects);
    CarryOut(effects);
  }
  void Grant(ConsumerId id, uint32_t messages, bool drain = false) {
    GrantCreditParams params;
    params.consumer.consumer_id = id;
    params.messages = messages;
    params.drain = drain;
    QueueEffects effects;
    core().GrantCredit(params, now_, &effects);
    CarryOut(effects);
  }
  void Resume(ConsumerId id) {
    QueueEffects effects;
    core().Resume({id}, now_, &effects);
    CarryOut(effects);
  }

  std::vector<uint64_t> Settle(SettleAction action, std::vector<uint64_t> ids) {
    QueueEffects effects;
    std::vector<uint64_t> lost = core().Settle(action, ids, now_, &effects);
    CarryOut(effects);
    return lost;
  }
  std::vector<uint64_t> Ack(std::vector<uint64_t> ids) {
    return Settle(SettleAction::kAck, std::move(ids));
  }
  std::vector<uint64_t> Requeue(std::vector<uint64_t> ids) {
    return Settle(SettleAction::kRequeue, std::move(ids));
  }
  uint64_t Release(const SinkRef& sink) {
    QueueEffects effects;
    const uint64_t requeued = core().Release(sink.get(), now_, &effects);
    CarryOut(effects);
    return requeued;
  }

  // nullopt: it waits (with wait_id), and answers_ will have the answer.
  template <typename Set>
  absl::StatusOr<std::optional<GetResult>> TryGet(const SinkRef& holder,
                                                  Set set) {
    GetParams params;
    params.holder = holder;
    set(params);
    QueueEffects effects;
    auto result = core().Get(params, now_, &effects);
    CarryOut(effects);
    return result;
  }
  GetResult Get(const SinkRef& holder, uint32_t max_messages = 1) {
    auto result = TryGet(holder, [max_messages](GetParams& params) {
      params.max_messages = max_messages;
    });
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? **std::move(result) : GetResult();
  }
  void WaitGet(const SinkRef& holder, uint64_t wait_id) {
    auto result = TryGet(
        holder, [wait_id](GetParams& params) { params.wait_id = wait_id; });
    ASSERT_TRUE(result.ok());
    EXPECT_FALSE(result->has_value());
  }
  static std::vector<std::string> Bodies(const GetResult& result) {
    std::vector<std::string> bodies;
    for (const Delivery& delivery : result.deliveries) {
      bodies.push_back(BodyOf(*delivery.message));
    }
    return bodies;
  }
  // All ready messages, in order, which are out afterwards.
  std::vector<std::string> GetAll() { return Bodies(Get(MakeSink(), 1000)); }

  void TellFates(const std::vector<LetterFate>& fates) {
    QueueEffects effects;
    core().OnLetterFates(fates, now_, &effects);
    CarryOut(effects);
  }

  void Pass(absl::Duration time) {
    now_ += time;
    QueueEffects effects;
    core().OnTime(now_, &effects);
    CarryOut(effects);
  }

  // As Queue does.
  void CarryOut(QueueEffects& effects) {
    for (auto& [sink, what] : effects.events) {
      if (auto* deliver = std::get_if<QueueEffects::Deliver>(&what)) {
        sink->Deliver(deliver->consumer_key, deliver->deliveries);
      } else if (auto* cancel = std::get_if<QueueEffects::Cancel>(&what)) {
        sink->ConsumerCancelled(cancel->consumer_key, cancel->reason,
                                cancel->error, cancel->required_bytes);
      } else if (auto* lose = std::get_if<QueueEffects::Lose>(&what)) {
        sink->DeliveriesLost(nullptr, lose->delivery_ids, lose->reason);
      } else if (auto* drained = std::get_if<QueueEffects::Drained>(&what)) {
        sink->CreditDrained(drained->consumer_key, drained->unused_credit);
      }
    }
    for (auto& answer : effects.answered) {
      EXPECT_TRUE(answers_.emplace(answer.wait_id, answer.result).second);
    }
    for (const DeadMessage& dead : effects.dead) {
      dead_.push_back({BodyOf(*dead.message), dead.reason});
      if (dead.letter_id != 0) letters_.push_back(dead);
    }
    if (effects.closed.has_value()) closed_ = effects.closed;
  }

  struct SinkRoom : RoomSource {
    bool TryReserve(DeliverySink& sink, uint32_t consumer_key, size_t bytes,
                    size_t /*may_follow*/) override {
      return sink.Reserve(consumer_key, bytes, 1) == 1;
    }
  };

  SinkRoom room_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000'000);
  std::unique_ptr<QueueCore> core_;
  std::map<uint64_t, absl::StatusOr<GetResult>> answers_;
  std::optional<CancelReason> closed_;
  std::vector<std::pair<std::string, DeathReason>> dead_;  // bodies
  std::vector<DeadMessage> letters_;  // those that the queue keeps, as sent
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_UNIT_QUEUE_CORE_FIXTURE_H_
