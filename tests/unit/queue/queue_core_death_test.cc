// Which messages die, and of what: DLX, NACK-07, QUORUM; priorities: PRIO.

#include "tests/unit/queue/core_fixture.h"

namespace kelpmq::service::testing {
namespace {

const Table kDlx = {{"x-dead-letter-exchange", "dlx"}};

Table Quorum(Table more = {}) {
  more.emplace("x-queue-type", "quorum");
  more.emplace("x-dead-letter-exchange", "dlx");
  return more;
}

TEST_F(CoreTest, DLX_01_DiscardedMessagesDieInTheOrderGiven) {
  Make(kDlx);
  Publish({"1", "2", "3"});
  Get(MakeSink(), 3);
  Settle(SettleAction::kDiscard, {1, 2, 3});
  EXPECT_THAT(dead_, ElementsAre(Pair("1", DeathReason::kRejected),
                                 Pair("2", DeathReason::kRejected),
                                 Pair("3", DeathReason::kRejected)));
  EXPECT_EQ(core().unacked_count(), 0u);
  EXPECT_EQ(core().message_bytes(), 0u);
}

TEST_F(CoreTest, DLX_08_WithoutADeadLetterExchangeTheyAreDropped) {
  Publish({"1"});
  Get(MakeSink());
  Settle(SettleAction::kDiscard, {1});
  EXPECT_THAT(dead_, IsEmpty());
}

TEST_F(CoreTest, DLX_14_RequeueAndAckDoNotDeadLetter) {
  Make(kDlx);
  Publish({"1", "2"});
  Get(MakeSink(), 2);
  Ack({1});
  Requeue({2});
  EXPECT_THAT(dead_, IsEmpty());
}

TEST_F(CoreTest, NACK_07_MixedSettlingActsOnEachAlone) {
  Make(kDlx);
  Publish({"ack", "discard", "requeue", "out"});
  Get(MakeSink(), 4);
  Ack({1});
  Settle(SettleAction::kDiscard, {2});
  Requeue({3});
  EXPECT_THAT(dead_, ElementsAre(Pair("discard", DeathReason::kRejected)));
  EXPECT_EQ(core().unacked_count(), 1u);
  EXPECT_THAT(GetAll(), ElementsAre("requeue"));
}

TEST_F(CoreTest, QUORUM_02_EveryReturnIsCounted) {
  Make(Quorum());
  Publish({"m"});
  Requeue({Get(MakeSink()).deliveries[0].delivery_id});
  auto sink = MakeSink();
  EXPECT_EQ(Get(sink).deliveries[0].delivery_count, 1u);
  Release(sink);
  EXPECT_EQ(Get(MakeSink()).deliveries[0].delivery_count, 2u);
}

TEST_F(CoreTest, QUORUM_03_ReturnedMoreThanNTimesItDies) {
  Make(Quorum({{"x-delivery-limit", int32_t{2}}}));
  Publish({"m"});
  for (int i = 0; i < 2; ++i) {
    Requeue({Get(MakeSink()).deliveries[0].delivery_id});
    EXPECT_THAT(dead_, IsEmpty());
  }
  auto sink = MakeSink();
  Get(sink);
  Release(sink);
  EXPECT_THAT(dead_, ElementsAre(Pair("m", DeathReason::kDeliveryLimit)));
  EXPECT_EQ(core().ready_count(), 0u);
}

TEST_F(CoreTest, QUORUM_03_TheLimitIs20UnlessSaidOtherwise) {
  Make(Quorum());
  Publish({"m"});
  for (int i = 0; i < 20; ++i) {
    Requeue({Get(MakeSink()).deliveries[0].delivery_id});
  }
  EXPECT_EQ(core().ready_count(), 1u);
  Requeue({Get(MakeSink()).deliveries[0].delivery_id});
  EXPECT_THAT(dead_, SizeIs(1));
}

TEST_F(CoreTest, QUORUM_03_MinusOneIsNoLimit) {
  Make(Quorum({{"x-delivery-limit", int32_t{-1}}}));
  Publish({"m"});
  for (int i = 0; i < 50; ++i) {
    Requeue({Get(MakeSink()).deliveries[0].delivery_id});
  }
  EXPECT_EQ(core().ready_count(), 1u);
}

TEST_F(CoreTest, QUORUM_03_AClassicQueueHasNoLimit) {
  Make(kDlx);
  Publish({"m"});
  for (int i = 0; i < 50; ++i) {
    Requeue({Get(MakeSink()).deliveries[0].delivery_id});
  }
  EXPECT_EQ(core().ready_count(), 1u);
}

TEST_F(CoreTest, QUORUM_03_ATimedOutDeliveryCountsAsReturned) {
  Make(Quorum({{"x-delivery-limit", int32_t{0}},
               {"x-consumer-timeout", int32_t{100}}}));
  Consume(MakeSink());
  Publish({"m"});
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(dead_, ElementsAre(Pair("m", DeathReason::kDeliveryLimit)));
}

TEST_F(CoreTest, QUORUM_04_ReturnedMessagesComeFirstInOrderOfReturn) {
  Make(Quorum());
  Publish({"1", "2", "3", "4"});
  Get(MakeSink(), 3);
  Requeue({2});
  Requeue({1});
  Requeue({3});
  EXPECT_THAT(GetAll(), ElementsAre("2", "1", "3", "4"));
}

TEST_F(CoreTest, PRIO_03_WithoutTheArgumentPriorityIsIgnored) {
  PublishWithPriority("low", 1);
  PublishWithPriority("high", 9);
  EXPECT_THAT(GetAll(), ElementsAre("low", "high"));
}

TEST_F(CoreTest, PRIO_03_AQuorumQueueHas32LevelsAnd4IsTheDefault) {
  Make(Quorum());
  Publish({"none"});
  PublishWithPriority("three", 3);
  PublishWithPriority("four", 4);
  PublishWithPriority("forty", 40);
  PublishWithPriority("thirty-one", 31);
  EXPECT_THAT(GetAll(),
              ElementsAre("forty", "thirty-one", "none", "four", "three"));
}

TEST_F(CoreTest, PRIO_01_ZeroIsAValidMaximum) {
  Make({{"x-max-priority", int32_t{0}}});
  PublishWithPriority("a", 1);
  PublishWithPriority("b", 9);
  EXPECT_THAT(GetAll(), ElementsAre("a", "b"));
}

TEST_F(CoreTest, PRIO_04_RequeueReturnsToThePlaceWithinItsPriority) {
  Make({{"x-max-priority", int32_t{5}}});
  PublishWithPriority("5a", 5);
  PublishWithPriority("5b", 5);
  PublishWithPriority("1", 1);
  PublishWithPriority("3", 3);
  Get(MakeSink(), 3);
  Requeue({1, 2, 3});
  PublishWithPriority("5c", 5);
  EXPECT_THAT(GetAll(), ElementsAre("5a", "5b", "5c", "3", "1"));
}

TEST_F(CoreTest, PRIO_07_WhatIsOutIsNotOvertaken) {
  Make({{"x-max-priority", int32_t{5}}});
  auto sink = MakeSink();
  Consume(sink, 2);
  PublishWithPriority("low", 1);
  PublishWithPriority("lower", 0);
  PublishWithPriority("high", 5);
  EXPECT_THAT(sink->bodies(), ElementsAre("low", "lower"));
  Ack({1});
  EXPECT_THAT(sink->bodies(), ElementsAre("low", "lower", "high"));
}

}  // namespace
}  // namespace kelpmq::service::testing
