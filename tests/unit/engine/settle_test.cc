// Settling deliveries, and what happens to them when their holder goes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Settling = EngineTest;

std::vector<uint64_t> IdsOf(const std::vector<Delivery>& deliveries) {
  std::vector<uint64_t> ids;
  for (const Delivery& d : deliveries) ids.push_back(d.delivery_id);
  return ids;
}

// Bodies, with a * for each earlier delivery that ended without ack.
std::vector<std::string> Marked(const std::vector<Delivery>& deliveries) {
  std::vector<std::string> out;
  for (const Delivery& d : deliveries) {
    out.push_back(BodyOf(*d.message) + std::string(d.delivery_count, '*'));
  }
  return out;
}

TEST_F(Settling, ACK_01_AckedMessagesAreGone) {
  auto holder = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b"}).ok());
  auto got = Get("q", holder, 2);
  ASSERT_TRUE(got.ok());
  auto settled = Settle(SettleAction::kAck, got->queue, IdsOf(got->deliveries));
  ASSERT_TRUE(settled.ok()) << settled.status();
  EXPECT_THAT(settled->lost, IsEmpty());
  EXPECT_EQ(*Release(holder, {got->queue}), 0u);
  EXPECT_THAT(Drain("q"), IsEmpty());
}

TEST_F(Settling, ACK_03_SettlingADeliveryOfADeletedQueueLeavesItsNamesake) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"old"}).ok());
  auto old = Get("q", NewSink());
  ASSERT_TRUE(old.ok());
  ASSERT_TRUE(DeleteQueue("q").ok());
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"new"}).ok());
  auto fresh = Get("q", NewSink());
  ASSERT_TRUE(fresh.ok());

  for (SettleAction action :
       {SettleAction::kAck, SettleAction::kRequeue, SettleAction::kDiscard}) {
    auto settled = Settle(action, old->queue, IdsOf(old->deliveries));
    ASSERT_TRUE(settled.ok()) << settled.status();
    ASSERT_EQ(settled->lost.size(), 1u);
    EXPECT_EQ(settled->lost[0].queue, old->queue);
    EXPECT_EQ(settled->lost[0].delivery_ids, IdsOf(old->deliveries));
  }
  EXPECT_EQ(FindQueue("q")->messages_unacked, 1u);
  auto settled =
      Settle(SettleAction::kAck, fresh->queue, IdsOf(fresh->deliveries));
  ASSERT_TRUE(settled.ok());
  EXPECT_THAT(settled->lost, IsEmpty());
}

TEST_F(Settling, ACK_03_EveryCallOnADeletedQueuesHandleCompletes) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  auto consumer = Consume("q", sink);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(DeleteQueue("q").ok());
  EXPECT_EQ(consumer->queue->name(), "q");
  EXPECT_TRUE(Cancel(*consumer).ok());
  UpdateConsumerParams update;
  update.consumer = *consumer;
  update.paused = true;
  EXPECT_TRUE(AwaitStatus([&](auto done) {
                engine_.UpdateConsumer(update, std::move(done));
              }).ok());
  EXPECT_TRUE(AwaitStatus([&](auto done) {
                engine_.GrantCredit({*consumer, 1, false}, std::move(done));
              }).ok());
  engine_.Resume({*consumer});
  EXPECT_EQ(*Release(sink, {consumer->queue}), 0u);
}

TEST_F(Settling, LostDeliveriesOfSeveralQueuesAreNamedByQueue) {
  auto holder = NewSink();
  std::vector<GetResult> got;
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(Declare(name).ok());
    ASSERT_TRUE(Publish("", name, {"m"}).ok());
    got.push_back(*Get(name, holder));
  }
  ASSERT_TRUE(DeleteQueue("b").ok());
  SettleParams params;
  for (const GetResult& g : got) {
    params.deliveries.push_back({g.queue, IdsOf(g.deliveries)});
  }
  auto settled = Await<SettleResult>(
      [&](auto done) { engine_.Settle(params, std::move(done)); });
  ASSERT_TRUE(settled.ok()) << settled.status();
  ASSERT_EQ(settled->lost.size(), 1u);
  EXPECT_EQ(settled->lost[0].queue, got[1].queue);
  EXPECT_EQ(FindQueue("a")->messages_unacked, 0u);
  EXPECT_EQ(FindQueue("c")->messages_unacked, 0u);
}

TEST_F(Settling, SettlingNothingCompletes) {
  EXPECT_TRUE(Await<SettleResult>([&](auto done) {
                engine_.Settle({}, std::move(done));
              }).ok());
  EXPECT_EQ(*Release(NewSink(), {}), 0u);
}

TEST_F(Settling, NACK_01_RequeuePutsAMessageAtItsOriginalPlace) {
  auto holder = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b", "c"}).ok());
  auto got = Get("q", holder, 3);
  ASSERT_TRUE(got.ok());
  ASSERT_TRUE(Publish("", "q", {"d"}).ok());
  const std::vector<uint64_t> ids = IdsOf(got->deliveries);
  for (uint64_t id : {ids[1], ids[2], ids[0]}) {
    ASSERT_TRUE(Settle(SettleAction::kRequeue, got->queue, {id}).ok());
  }
  EXPECT_THAT(Marked(Get("q", holder, 10)->deliveries),
              ElementsAre("a*", "b*", "c*", "d"));
}

TEST_F(Settling, NACK_03_DiscardDropsTheMessage) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b"}).ok());
  auto got = Get("q", NewSink());
  ASSERT_TRUE(got.ok());
  ASSERT_TRUE(
      Settle(SettleAction::kDiscard, got->queue, IdsOf(got->deliveries)).ok());
  EXPECT_THAT(Drain("q"), ElementsAre("b"));
}

TEST_F(Settling, NACK_05_LoneConsumerGetsARequeuedMessageBack) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  auto consumer = Consume("q", sink);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  const uint64_t id = sink->delivered()[0].delivery.delivery_id;
  ASSERT_TRUE(Settle(SettleAction::kRequeue, consumer->queue, {id}).ok());
  ASSERT_EQ(sink->delivered().size(), 2u);
  const Delivery again = sink->delivered()[1].delivery;
  EXPECT_EQ(again.delivery_count, 1u);
  EXPECT_GT(again.delivery_id, id);
  EXPECT_EQ(Settle(SettleAction::kAck, consumer->queue, {id})->lost.size(), 1u)
      << "a late settle of the first delivery does not touch the second";
  EXPECT_EQ(FindQueue("q")->messages_unacked, 1u);
}

TEST_F(Settling, CONS_07_CancelledConsumersDeliveriesMayStillBeAcked) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  auto consumer = Consume("q", sink);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  ASSERT_TRUE(Cancel(*consumer).ok());
  EXPECT_THAT(sink->cancelled(), IsEmpty()) << "it asked for it";
  EXPECT_EQ(FindQueue("q")->messages_unacked, 1u);
  ASSERT_TRUE(Publish("", "q", {"later"}).ok());
  EXPECT_EQ(sink->delivered().size(), 1u);
  auto settled = Settle(SettleAction::kAck, consumer->queue,
                        {sink->delivered()[0].delivery.delivery_id});
  EXPECT_THAT(settled->lost, IsEmpty());
  EXPECT_EQ(FindQueue("q")->messages_unacked, 0u);
}

TEST_F(Settling, CONS_08_ReleaseRequeuesAllAtTheirOldPlacesRedelivered) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ConsumeParams params = Consumer("q", sink);
  params.prefetch_count = 3;
  auto consumer = Consume(params);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b", "c", "d"}).ok());
  ASSERT_TRUE(Settle(SettleAction::kAck, consumer->queue,
                     {sink->delivered()[1].delivery.delivery_id})
                  .ok());
  ASSERT_THAT(sink->bodies(), ElementsAre("a", "b", "c", "d"));
  ASSERT_TRUE(Publish("", "q", {"e"}).ok());

  auto released = Release(sink, {consumer->queue});
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_EQ(*released, 3u);
  EXPECT_EQ(FindQueue("q")->consumer_count, 0u);
  EXPECT_THAT(Marked(Get("q", NewSink(), 10)->deliveries),
              ElementsAre("a*", "c*", "d*", "e"));
}

TEST_F(Settling, CONS_08_ReleaseCoversAllQueuesOfTheSink) {
  auto sink = NewSink();
  std::vector<QueueRef> queues;
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(Declare(name).ok());
    ASSERT_TRUE(Publish("", name, {"1", "2"}).ok());
    queues.push_back(Get(name, sink, 2)->queue);
  }
  EXPECT_EQ(*Release(sink, queues), 6u);
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_THAT(Drain(name), ElementsAre("1", "2"));
  }
}

TEST_F(Settling, CONS_08_NothingThatReturnsGoesToTheSinkThatLeaves) {
  for (const auto& [holding, consuming] :
       {std::pair("a", "b"), std::pair("c", "d")}) {
    QueueSpec spec;
    spec.name = holding;
    spec.arguments["x-max-length"] = int64_t{1};
    spec.arguments["x-dead-letter-exchange"] = std::string();
    spec.arguments["x-dead-letter-routing-key"] = std::string(consuming);
    ASSERT_TRUE(Declare(spec).ok());
    ASSERT_TRUE(Declare(consuming).ok());
    auto sink = NewSink();
    ASSERT_TRUE(Publish("", holding, {"1"}).ok());
    std::vector<QueueRef> queues = {Get(holding, sink)->queue};
    ASSERT_TRUE(Publish("", holding, {"2"}).ok());
    queues.push_back(Consume(consuming, sink)->queue);
    // Whichever comes first: 1 returns to a full queue and dies of it.
    if (std::string(holding) == "c") std::swap(queues[0], queues[1]);
    EXPECT_EQ(*Release(sink, queues), 1u);
    EXPECT_THAT(sink->bodies(), IsEmpty());
    EXPECT_THAT(Drain(consuming), ElementsAre("1"));
  }
}

TEST_F(Settling, NACK_06_OrderIsRestoredOverSeveralHoldersReturns) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b", "c", "d"}).ok());
  auto one = NewSink();
  auto two = NewSink();
  auto a = Get("q", one);
  auto b = Get("q", two);
  auto c = Get("q", one);
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  ASSERT_TRUE(Release(two, {b->queue}).ok());
  ASSERT_TRUE(Release(one, {a->queue}).ok());
  EXPECT_THAT(Marked(Get("q", NewSink(), 10)->deliveries),
              ElementsAre("a*", "b*", "c*", "d"));
}

TEST_F(Settling, CONS_08_ReleasedMessagesGoToTheOtherConsumers) {
  auto leaving = NewSink();
  auto staying = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  auto consumer = Consume("q", leaving);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b"}).ok());
  ASSERT_TRUE(Consume("q", staying).ok());
  ASSERT_TRUE(Release(leaving, {consumer->queue}).ok());
  EXPECT_THAT(staying->bodies(), ElementsAre("a", "b"));
  EXPECT_THAT(leaving->cancelled(), IsEmpty());
  EXPECT_THAT(leaving->lost(), IsEmpty());
}

}  // namespace
}  // namespace kelpmq::service::testing
