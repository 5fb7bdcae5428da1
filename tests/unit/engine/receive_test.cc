// Gets and consumers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Receiving = EngineTest;

// A Get that may wait, and its answer once it has come.
struct PendingGet {
  std::optional<absl::StatusOr<GetResult>> answer;
};

class WaitingGet : public EngineTest {
 protected:
  std::shared_ptr<PendingGet> StartGet(const std::string& queue,
                                       uint64_t wait_id) {
    GetParams params;
    params.vhost = vhost_;
    params.queue = queue;
    params.owner = owner_;
    params.holder = holder_;
    params.wait_id = wait_id;
    auto pending = std::make_shared<PendingGet>();
    engine_.Get(std::move(params), [pending](absl::StatusOr<GetResult> result) {
      EXPECT_FALSE(pending->answer.has_value());
      pending->answer = std::move(result);
    });
    executor_.RunAll();
    return pending;
  }

  std::shared_ptr<RecordingSink> holder_ = NewSink();
};

TEST_F(Receiving, GET_01_EmptyQueueGivesNothing) {
  ASSERT_TRUE(Declare("q").ok());
  auto got = Get("q", NewSink());
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_THAT(got->deliveries, IsEmpty());
  EXPECT_EQ(got->message_count, 0u);
}

TEST_F(Receiving, GET_02_AbsentQueueIsNotFound) {
  auto got = Get("none", NewSink());
  EXPECT_EQ(ReasonOf(got), "QUEUE_NOT_FOUND");
  EXPECT_EQ(got.status().message(), "NOT_FOUND - no queue 'none' in vhost '/'");
  EXPECT_EQ(MetadataOf(got.status(), "queue"), "none");
  EXPECT_EQ(MetadataOf(got.status(), "vhost"), "/");
}

TEST_F(Receiving, GET_03_MessageCountIsWhatStaysReady) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b", "c"}).ok());
  auto holder = NewSink();
  EXPECT_EQ(Get("q", holder)->message_count, 2u);
  EXPECT_EQ(Get("q", holder)->message_count, 1u);
  EXPECT_EQ(Get("q", holder)->message_count, 0u);
}

TEST_F(Receiving, GET_05_GetIgnoresPrefetch) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ConsumeParams consumer = Consumer("q", sink);
  consumer.prefetch_count = 1;
  ASSERT_TRUE(Consume(consumer).ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b"}).ok());
  auto got = Get("q", sink);
  ASSERT_TRUE(got.ok());
  ASSERT_EQ(got->deliveries.size(), 1u);
  EXPECT_EQ(BodyOf(*got->deliveries[0].message), "b");
}

TEST_F(WaitingGet, TakesTheNextMessage) {
  ASSERT_TRUE(Declare("q").ok());
  auto pending = StartGet("q", 7);
  ASSERT_FALSE(pending->answer.has_value());
  ASSERT_TRUE(Publish("", "q", {"a", "b"}).ok());
  ASSERT_TRUE(pending->answer.has_value());
  ASSERT_TRUE(pending->answer->ok());
  ASSERT_EQ((*pending->answer)->deliveries.size(), 1u);
  EXPECT_EQ((*pending->answer)->message_count, 1u);
  ASSERT_NE((*pending->answer)->queue, nullptr);
  EXPECT_EQ((*pending->answer)->queue->name(), "q");
  EXPECT_THAT(Drain("q"), ElementsAre("b"));
}

TEST_F(WaitingGet, AnswersAtOnceIfSomethingIsReady) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a"}).ok());
  EXPECT_TRUE(StartGet("q", 7)->answer.has_value());
}

TEST_F(WaitingGet, EndGetWaitAnswersWithNothing) {
  ASSERT_TRUE(Declare("q").ok());
  auto pending = StartGet("q", 7);
  auto other = StartGet("q", 8);
  engine_.EndGetWait({vhost_, "q", 7});
  executor_.RunAll();
  ASSERT_TRUE(pending->answer.has_value());
  ASSERT_TRUE(pending->answer->ok());
  EXPECT_THAT((*pending->answer)->deliveries, IsEmpty());
  EXPECT_FALSE(other->answer.has_value());
  // No effect on an answered one, an unknown one, or an absent queue.
  engine_.EndGetWait({vhost_, "q", 7});
  engine_.EndGetWait({vhost_, "none", 8});
  engine_.EndGetWait({"none", "q", 8});
  executor_.RunAll();
  EXPECT_FALSE(other->answer.has_value());
}

TEST_F(WaitingGet, FailsWhenTheQueueIsDeleted) {
  ASSERT_TRUE(Declare("q").ok());
  auto pending = StartGet("q", 7);
  ASSERT_TRUE(DeleteQueue("q", /*if_unused=*/true).ok())
      << "a waiting get is no consumer";
  ASSERT_TRUE(pending->answer.has_value());
  EXPECT_EQ(ReasonOf(*pending->answer), "QUEUE_DELETED");
}

TEST_F(WaitingGet, NameIsFreeOnceItsFailureIsKnown) {
  ASSERT_TRUE(Declare("q").ok());
  GetParams params;
  params.vhost = vhost_;
  params.queue = "q";
  params.holder = holder_;
  params.wait_id = 7;
  std::optional<bool> created;
  engine_.Get(params, [&](absl::StatusOr<GetResult> result) {
    EXPECT_EQ(ReasonOf(result), "QUEUE_DELETED");
    DeclareQueueParams again;
    again.vhost = vhost_;
    again.spec.name = "q";
    engine_.DeclareQueue(again, [&](absl::StatusOr<DeclareQueueResult> d) {
      created = d.ok() && d->created;
    });
  });
  ASSERT_TRUE(DeleteQueue("q").ok());
  EXPECT_EQ(created, true);
}

TEST_F(Receiving, CONS_01_DeliveriesComeInQueueOrder) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b"}).ok());
  ASSERT_TRUE(Consume("q", sink).ok());
  ASSERT_TRUE(Publish("", "q", {"c"}).ok());
  EXPECT_THAT(sink->bodies(), ElementsAre("a", "b", "c"));
}

TEST_F(Receiving, CONS_01_ConsumeIsAnsweredBeforeTheFirstDelivery) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a"}).ok());
  size_t delivered_before = SIZE_MAX;
  engine_.Consume(Consumer("q", sink), [&](absl::StatusOr<ConsumerRef> ref) {
    EXPECT_TRUE(ref.ok());
    delivered_before = sink->delivered().size();
  });
  executor_.RunAll();
  EXPECT_EQ(delivered_before, 0u);
  EXPECT_THAT(sink->bodies(), ElementsAre("a"));
}

TEST_F(Receiving, CONS_02_AbsentQueueIsNotFound) {
  EXPECT_EQ(ReasonOf(Consume("none", NewSink())), "QUEUE_NOT_FOUND");
}

TEST_F(Receiving, CONS_04_ExclusiveConsumerIsAlone) {
  ASSERT_TRUE(Declare("q").ok());
  ConsumeParams exclusive = Consumer("q", NewSink());
  exclusive.exclusive = true;
  auto first = Consume(exclusive);
  ASSERT_TRUE(first.ok());
  auto second = Consume("q", NewSink());
  EXPECT_EQ(ReasonOf(second), "CONSUMER_EXCLUSIVE");
  EXPECT_EQ(second.status().message(),
            "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use");
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  EXPECT_TRUE(Get("q", NewSink()).ok());
  ASSERT_TRUE(Cancel(*first).ok());
  ASSERT_TRUE(Consume("q", NewSink()).ok());
  EXPECT_EQ(ReasonOf(Consume(exclusive)), "CONSUMER_EXCLUSIVE");
}

TEST_F(Receiving, CONS_06_ConsumersAreServedInTurn) {
  auto one = NewSink();
  auto two = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Consume("q", one).ok());
  ASSERT_TRUE(Consume("q", two).ok());
  ASSERT_TRUE(Publish("", "q", {"1", "2", "3", "4"}).ok());
  EXPECT_THAT(one->bodies(), ElementsAre("1", "3"));
  EXPECT_THAT(two->bodies(), ElementsAre("2", "4"));
}

TEST_F(Receiving, CANCEL_01_ConsumersHearOfADeletedQueue) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Consume("q", sink, 3).ok());
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  ASSERT_TRUE(DeleteQueue("q").ok());
  ASSERT_EQ(sink->cancelled().size(), 1u);
  EXPECT_EQ(sink->cancelled()[0].consumer_key, 3u);
  EXPECT_EQ(sink->cancelled()[0].reason, CancelReason::kQueueDeleted);
  ASSERT_EQ(sink->lost().size(), 1u);
  EXPECT_EQ(sink->lost()[0].delivery_ids.size(), 1u);
}

TEST_F(Receiving, QOS_01_PrefetchLimitsWhatIsOut) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ConsumeParams params = Consumer("q", sink);
  params.prefetch_count = 2;
  auto consumer = Consume(params);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b", "c", "d"}).ok());
  EXPECT_THAT(sink->bodies(), ElementsAre("a", "b"));
  ASSERT_TRUE(Settle(SettleAction::kAck, consumer->queue,
                     {sink->delivered()[0].delivery.delivery_id})
                  .ok());
  EXPECT_THAT(sink->bodies(), ElementsAre("a", "b", "c"));
}

TEST_F(Receiving, QOS_05_PrefetchMayBeRaisedAtAnyTime) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ConsumeParams params = Consumer("q", sink);
  params.prefetch_count = 1;
  auto consumer = Consume(params);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b", "c"}).ok());
  UpdateConsumerParams update;
  update.consumer = *consumer;
  update.prefetch_count = 3;
  ASSERT_TRUE(AwaitStatus([&](auto done) {
                engine_.UpdateConsumer(update, std::move(done));
              }).ok());
  EXPECT_THAT(sink->bodies(), ElementsAre("a", "b", "c"));
}

TEST_F(Receiving, RefusedConsumerGoesOnAfterResume) {
  auto sink = NewSink();
  sink->set_room(1);
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Declare("q2").ok());
  auto consumer = Consume("q", sink, 1);
  auto other = Consume("q2", sink, 2);
  ASSERT_TRUE(consumer.ok() && other.ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b"}).ok());
  ASSERT_TRUE(Publish("", "q2", {"x"}).ok());
  EXPECT_THAT(sink->bodies(), ElementsAre("a"));
  sink->set_room(10);
  engine_.Resume({*consumer, *other});
  executor_.RunAll();
  EXPECT_THAT(sink->bodies(), ElementsAre("a", "b", "x"));
}

TEST_F(Receiving, ManualCreditIsSpentAndDrained) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ConsumeParams params = Consumer("q", sink, 4);
  params.manual_credit = true;
  auto consumer = Consume(params);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b"}).ok());
  EXPECT_THAT(sink->bodies(), IsEmpty());
  ASSERT_TRUE(
      AwaitStatus([&](auto done) {
        engine_.GrantCredit({*consumer, 5, /*drain=*/true}, std::move(done));
      }).ok());
  EXPECT_THAT(sink->bodies(), ElementsAre("a", "b"));
  ASSERT_EQ(sink->drained().size(), 1u);
  EXPECT_EQ(sink->drained()[0].consumer_key, 4u);
  EXPECT_EQ(sink->drained()[0].unused_credit, 3u);
}

// ---- Temporary queues ----

class TemporaryQueue : public EngineTest {
 protected:
  ConsumeParams Temporary(SinkRef sink) {
    ConsumeParams params = Consumer("ignored", std::move(sink));
    params.temporary_queue = true;
    return params;
  }
  size_t QueueCount() {
    ListParams params;
    params.vhost = vhost_;
    auto page = Await<Page<QueueInfo>>(
        [&](auto done) { engine_.ListQueues(params, std::move(done)); });
    return page.ok() ? page->items.size() : SIZE_MAX;
  }
};

TEST_F(TemporaryQueue, IsDeclaredBoundAndConsumed) {
  auto sink = NewSink();
  ConsumeParams params = Temporary(sink);
  params.queue_arguments = {{"x-max-length", int32_t{10}}};
  params.bindings = {{"amq.topic", "a.*", {}}, {"amq.fanout", "", {}}};
  auto consumer = Consume(params);
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  EXPECT_EQ(consumer->queue->name().substr(0, 8), "amq.gen-");
  ASSERT_TRUE(Publish("amq.topic", "a.b", {"topic"}).ok());
  ASSERT_TRUE(Publish("amq.fanout", "", {"fanout"}).ok());
  ASSERT_TRUE(Publish("amq.topic", "b", {"neither"}).ok());
  EXPECT_THAT(sink->bodies(), ElementsAre("topic", "fanout"));

  auto info = FindQueue(consumer->queue->name());
  ASSERT_TRUE(info.ok());
  EXPECT_TRUE(info->spec.exclusive);
  EXPECT_TRUE(info->spec.auto_delete);
  EXPECT_EQ(info->owner, kAlice);
  EXPECT_EQ(info->spec.arguments.at("x-max-length"), Value(int32_t{10}));
}

TEST_F(TemporaryQueue, GoesWithItsConsumer) {
  auto consumer = Consume(Temporary(NewSink()));
  ASSERT_TRUE(consumer.ok());
  ASSERT_EQ(QueueCount(), 1u);
  ASSERT_TRUE(Cancel(*consumer).ok());
  EXPECT_EQ(QueueCount(), 0u);
}

TEST_F(TemporaryQueue, GoesIfABindingFails) {
  ConsumeParams params = Temporary(NewSink());
  params.bindings = {{"amq.topic", "#", {}}, {"nox", "", {}}};
  EXPECT_EQ(ReasonOf(Consume(params)), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(QueueCount(), 0u);
  EXPECT_EQ(Publish("amq.topic", "a", {"m"})->unrouted_count, 1u);
}

TEST_F(TemporaryQueue, GoesIfTheConsumeFails) {
  ConsumeParams params = Temporary(NewSink());
  params.arguments = {{"x-priority", "high"}};
  EXPECT_EQ(ReasonOf(Consume(params)), "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(QueueCount(), 0u);
}

TEST_F(TemporaryQueue, InvalidArgumentDeclaresNothing) {
  ConsumeParams params = Temporary(NewSink());
  params.queue_arguments = {{"x-expires", int32_t{0}}};
  EXPECT_EQ(ReasonOf(Consume(params)), "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(QueueCount(), 0u);
}

}  // namespace
}  // namespace kelpmq::service::testing
