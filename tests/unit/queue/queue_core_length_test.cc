// Length limits: LEN, and what publishers are told of them.

#include "tests/unit/queue/core_fixture.h"

namespace kelpmq::service::testing {
namespace {

Table Limit(int32_t max_length, const char* overflow = "drop-head") {
  return {{"x-max-length", max_length},
          {"x-overflow", overflow},
          {"x-dead-letter-exchange", ""}};
}

TEST_F(CoreTest, LEN_01_TheOldestReadyMessagesGo) {
  Make(Limit(3));
  EXPECT_THAT(Publish({"1", "2", "3", "4", "5"}), IsEmpty());
  EXPECT_THAT(GetAll(), ElementsAre("3", "4", "5"));
}

TEST_F(CoreTest, LEN_02_UnackedMessagesDoNotCount) {
  Make(Limit(2));
  Publish({"1", "2"});
  Get(MakeSink(), 2);
  Publish({"3", "4"});
  EXPECT_THAT(dead_, IsEmpty());
}

TEST_F(CoreTest, LEN_02_RequeuedOnesBeyondTheLimitDropFromTheHead) {
  Make(Limit(2));
  Publish({"1", "2"});
  const GetResult got = Get(MakeSink(), 2);
  Publish({"3"});
  Requeue({got.deliveries[0].delivery_id, got.deliveries[1].delivery_id});
  EXPECT_THAT(dead_, ElementsAre(Pair("1", DeathReason::kMaxLength)));
  EXPECT_THAT(GetAll(), ElementsAre("2", "3"));
}

TEST_F(CoreTest, LEN_02_ItIsDroppedBeforeAnybodyCanTakeItAgain) {
  Make(Limit(1));
  auto sink = MakeSink();
  Consume(sink, 1);
  Publish({"1", "2"});
  Requeue({1});
  EXPECT_THAT(dead_, ElementsAre(Pair("1", DeathReason::kMaxLength)));
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "2"));
}

TEST_F(CoreTest, LEN_02_AStreamThatEndsMayBringTheQueueOverItsLimit) {
  Make(Limit(1));
  auto sink = MakeSink();
  Consume(sink);
  Publish({"1", "2"});
  Release(sink);
  EXPECT_THAT(dead_, ElementsAre(Pair("1", DeathReason::kMaxLength)));
  EXPECT_THAT(GetAll(), ElementsAre("2"));
}

TEST_F(CoreTest, LEN_03_ZeroPassesOnWhatAConsumerTakesAtOnce) {
  Make(Limit(0));
  auto sink = MakeSink();
  Consume(sink, 2);
  EXPECT_THAT(Publish({"1", "2", "3"}), IsEmpty());
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "2"));
  EXPECT_THAT(dead_, ElementsAre(Pair("3", DeathReason::kMaxLength)));
}

TEST_F(CoreTest, LEN_04_BytesCountBodiesAlone) {
  Make({{"x-max-length-bytes", int32_t{10}}});
  Publish({"aaaa", "bbbb", "cccc"});
  EXPECT_EQ(core().ready_count(), 2u);
  Publish({"dd"});
  EXPECT_THAT(GetAll(), ElementsAre("bbbb", "cccc", "dd"));
}

TEST_F(CoreTest, LEN_04_BothLimitsHold) {
  Make({{"x-max-length-bytes", int32_t{10}}, {"x-max-length", int32_t{2}}});
  Publish({"a", "b", "c"});
  EXPECT_EQ(core().ready_count(), 2u);
  Publish({"123456789"});
  EXPECT_THAT(GetAll(), ElementsAre("c", "123456789"));
}

TEST_F(CoreTest, LEN_04_ABodyLargerThanTheLimitEmptiesTheQueue) {
  Make({{"x-max-length-bytes", int32_t{10}}});
  Publish({"a", "b"});
  EXPECT_THAT(Publish({"01234567890"}), IsEmpty());  // CONF-07
  EXPECT_EQ(core().ready_count(), 0u);
}

TEST_F(CoreTest, LEN_05_DroppedHeadsDieOldestFirst) {
  Make(Limit(1));
  Publish({"1", "2", "3"});
  EXPECT_THAT(dead_, ElementsAre(Pair("1", DeathReason::kMaxLength),
                                 Pair("2", DeathReason::kMaxLength)));
}

TEST_F(CoreTest, LEN_06_RejectPublishRefusesNewMessages) {
  Make(Limit(2, "reject-publish"));
  EXPECT_THAT(Publish({"1", "2", "3", "4"}), ElementsAre(2, 3));
  EXPECT_THAT(dead_, IsEmpty());
  EXPECT_THAT(GetAll(), ElementsAre("1", "2"));
  EXPECT_THAT(Publish({"later"}), IsEmpty());  // CONF-04
}

TEST_F(CoreTest, LEN_06_WhatConsumersTakeInBetweenMakesRoom) {
  Make(Limit(1, "reject-publish"));
  auto sink = MakeSink();
  Consume(sink, 2);
  EXPECT_THAT(Publish({"1", "2", "3", "4"}), ElementsAre(3));
}

TEST_F(CoreTest, LEN_06_BytesAreCountedWithTheNewMessage) {
  Make({{"x-max-length-bytes", int32_t{4}}, {"x-overflow", "reject-publish"}});
  EXPECT_THAT(Publish({"123", "45", "6"}), ElementsAre(1));
  EXPECT_THAT(GetAll(), ElementsAre("123", "6"));
}

TEST_F(CoreTest, LEN_07_RejectPublishDlxAlsoDeadLettersThem) {
  Make(Limit(1, "reject-publish-dlx"));
  EXPECT_THAT(Publish({"1", "2", "3"}), ElementsAre(1, 2));
  EXPECT_THAT(dead_, ElementsAre(Pair("2", DeathReason::kMaxLength),
                                 Pair("3", DeathReason::kMaxLength)));
}

TEST_F(CoreTest, LEN_08_RequeueMayExceedTheLimitUnderRejectPublish) {
  Make(Limit(2, "reject-publish"));
  Publish({"1", "2"});
  const GetResult got = Get(MakeSink(), 2);
  Publish({"3", "4"});
  Requeue({got.deliveries[0].delivery_id, got.deliveries[1].delivery_id});
  EXPECT_THAT(dead_, IsEmpty());
  EXPECT_THAT(Publish({"5"}), ElementsAre(0));
  EXPECT_THAT(GetAll(), ElementsAre("1", "2", "3", "4"));
}

TEST_F(CoreTest, PRIO_05_DropHeadDropsTheHighestPriorityFirst) {
  Make({{"x-max-priority", int32_t{5}},
        {"x-max-length", int32_t{2}},
        {"x-dead-letter-exchange", ""}});
  PublishWithPriority("low", 1);
  PublishWithPriority("high", 5);
  PublishWithPriority("middle", 3);
  EXPECT_THAT(dead_, ElementsAre(Pair("high", DeathReason::kMaxLength)));
  EXPECT_THAT(GetAll(), ElementsAre("middle", "low"));
}

TEST_F(CoreTest, QUORUM_07_DropHeadAsInAClassicQueue) {
  Make({{"x-queue-type", "quorum"}, {"x-max-length", int32_t{2}}});
  Publish({"1", "2", "3", "4"});
  EXPECT_THAT(GetAll(), ElementsAre("3", "4"));
}

TEST_F(CoreTest, LEN_07_AQuorumQueueDropsItsHeadInstead) {
  Make({{"x-queue-type", "quorum"},
        {"x-max-length", int32_t{1}},
        {"x-overflow", "reject-publish-dlx"}});
  EXPECT_THAT(Publish({"1", "2"}), IsEmpty());
  EXPECT_THAT(GetAll(), ElementsAre("2"));
}

TEST_F(CoreTest, QPURGE_02_NeitherPurgeNorDeleteDeadLetters) {
  Make(Limit(10));
  Publish({"1", "2"});
  QueueEffects effects;
  EXPECT_EQ(core().Purge(&effects), 2u);
  EXPECT_THAT(effects.dead, IsEmpty());
  Publish({"3"});
  EXPECT_TRUE(core().Delete(false, false, &effects).ok());
  EXPECT_THAT(effects.dead, IsEmpty());
}

// ---- Policies ----

TEST_F(CoreTest, POLICY_04_ALengthLimitTrimsAtOnce) {
  Publish({"1", "2", "3", "4", "5"});
  QueueArguments arguments = core().arguments();
  arguments.max_length = 2;
  arguments.dead_letter_exchange = "";
  Apply(arguments);
  EXPECT_THAT(dead_, SizeIs(3));
  EXPECT_EQ(core().ready_count(), 2u);
  Apply(QueueArguments());
  Publish({"6", "7"});
  EXPECT_THAT(GetAll(), ElementsAre("4", "5", "6", "7"));
}

TEST_F(CoreTest, POLICY_04_ALimitTrimsBeforeItsOverflowHolds) {
  Publish({"1", "2", "3"});
  QueueArguments arguments = core().arguments();
  arguments.max_length = 2;
  arguments.overflow = Overflow::kRejectPublish;
  Apply(arguments);
  EXPECT_EQ(core().ready_count(), 2u) << "drop-head held before";
  arguments.max_length = 1;
  Apply(arguments);
  EXPECT_EQ(core().ready_count(), 2u) << "both refuse";
  arguments.overflow = Overflow::kDropHead;
  Apply(arguments);
  EXPECT_THAT(GetAll(), ElementsAre("3"));
}

TEST_F(CoreTest, POLICY_04_AQuorumQueueTakesLimitAndOverflowTogether) {
  Make({{"x-queue-type", "quorum"}});
  Publish({"1", "2", "3"});
  QueueArguments arguments = core().arguments();
  arguments.max_length = 2;
  arguments.overflow = Overflow::kRejectPublish;
  Apply(arguments);
  EXPECT_EQ(core().ready_count(), 3u);
}

TEST_F(CoreTest, POLICY_04_ATtlHoldsForWhatComesFromNowOn) {
  Publish({"before"});
  QueueArguments arguments = core().arguments();
  arguments.message_ttl = absl::Milliseconds(100);
  Apply(arguments);
  EXPECT_EQ(core().next_wake(), absl::InfiniteFuture());
  Publish({"with"});
  Apply(QueueArguments());
  Publish({"after"});
  Pass(absl::Seconds(1));
  EXPECT_THAT(GetAll(), ElementsAre("before", "after"));
}

TEST_F(CoreTest, POLICY_04_ALeaseBeginsWhenItIsSet) {
  core();
  Pass(absl::Hours(1));
  QueueArguments arguments = core().arguments();
  arguments.expires = absl::Minutes(10);
  Apply(arguments);
  EXPECT_EQ(core().next_wake(), now_ + absl::Minutes(10));
  Pass(absl::Minutes(10));
  EXPECT_EQ(closed_, CancelReason::kQueueExpired);
}

TEST_F(CoreTest, POLICY_01_ADeliveryLimitHoldsOnAClassicQueueToo) {
  QueueArguments arguments = core().arguments();
  arguments.delivery_limit = 1;
  arguments.dead_letter_exchange = "";
  Apply(arguments);
  Publish({"m"});
  for (int i = 0; i < 2; ++i) {
    Requeue({Get(MakeSink()).deliveries[0].delivery_id});
  }
  EXPECT_THAT(dead_, ElementsAre(Pair("m", DeathReason::kDeliveryLimit)));
}

TEST_F(CoreTest, POLICY_01_WhatOnlyADeclarationSetsStays) {
  Make({{"x-max-priority", int32_t{5}}, {"x-single-active-consumer", true}});
  QueueArguments arguments;
  arguments.type = QueueType::kQuorum;
  Apply(arguments);
  EXPECT_EQ(core().arguments().type, QueueType::kClassic);
  EXPECT_EQ(core().arguments().max_priority, 5);
  EXPECT_TRUE(core().arguments().single_active_consumer);
}

}  // namespace
}  // namespace kelpmq::service::testing
