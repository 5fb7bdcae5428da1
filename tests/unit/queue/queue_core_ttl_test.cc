// Time to live: TTL, PRIO-06.

#include "tests/unit/queue/core_fixture.h"

namespace kelpmq::service::testing {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);
const Table kTtl100 = {{"x-message-ttl", int32_t{100}},
                       {"x-dead-letter-exchange", ""}};

TEST_F(CoreTest, TTL_01_ExpirationIsMilliseconds) {
  PublishWithExpiration("short", "80");
  Publish({"long"});
  Pass(79 * kMs);
  EXPECT_EQ(core().ready_count(), 2u);
  Pass(1 * kMs);
  EXPECT_THAT(GetAll(), ElementsAre("long"));
}

TEST_F(CoreTest, TTL_02_AnExpiredMessageBehindALiveHeadIsStillCounted) {
  Publish({"head"});
  PublishWithExpiration("behind", "10");
  Publish({"last"});
  Pass(absl::Seconds(1));
  EXPECT_EQ(core().ready_count(), 3u);
  EXPECT_EQ(core().next_wake(), absl::InfiniteFuture());
  // As soon as it is the head it goes, and is not counted as left behind.
  const GetResult result = Get(MakeSink());
  EXPECT_THAT(Bodies(result), ElementsAre("head"));
  EXPECT_EQ(result.message_count, 1u);
  EXPECT_THAT(GetAll(), ElementsAre("last"));
}

TEST_F(CoreTest, TTL_02_NothingIsDeliveredAfterItsTime) {
  Make(kTtl100);
  Publish({"1", "2"});
  now_ += 100 * kMs;  // the timer is late
  auto sink = MakeSink();
  Consume(sink);
  EXPECT_THAT(sink->bodies(), IsEmpty());
  EXPECT_EQ(core().ready_count(), 0u);
}

TEST_F(CoreTest, TTL_02_TheNextHeadIsLookedAtAfterEachDelivery) {
  Publish({"live"});
  PublishWithExpiration("expired", "10");
  Publish({"after"});
  now_ += absl::Seconds(1);
  auto sink = MakeSink();
  Consume(sink);
  EXPECT_THAT(sink->bodies(), ElementsAre("live", "after"));
}

TEST_F(CoreTest, TTL_03_TheQueuesTtlRunsFromEnqueue) {
  Make(kTtl100);
  Publish({"1"});
  Pass(60 * kMs);
  Publish({"2"});
  EXPECT_EQ(core().next_wake(), now_ + 40 * kMs);
  Pass(40 * kMs);
  EXPECT_THAT(dead_, ElementsAre(Pair("1", DeathReason::kExpired)));
  EXPECT_EQ(core().next_wake(), now_ + 60 * kMs);
  Pass(60 * kMs);
  EXPECT_THAT(dead_, ElementsAre(Pair("1", DeathReason::kExpired),
                                 Pair("2", DeathReason::kExpired)));
  EXPECT_EQ(core().next_wake(), absl::InfiniteFuture());
}

TEST_F(CoreTest, TTL_04_TheSmallerOfBothHolds) {
  Make(kTtl100);
  PublishWithExpiration("b", "60000");
  Pass(100 * kMs);
  EXPECT_EQ(core().ready_count(), 0u);
  PublishWithExpiration("a", "30");
  Pass(30 * kMs);
  EXPECT_EQ(core().ready_count(), 0u);
}

TEST_F(CoreTest, TTL_06_ZeroIsDroppedIfNobodyCanTakeIt) {
  PublishWithExpiration("m", "0");
  EXPECT_EQ(core().ready_count(), 0u);
}

TEST_F(CoreTest, TTL_06_ZeroIsDeliveredToWhoCanTakeItAtOnce) {
  Make({{"x-message-ttl", int32_t{0}}});
  auto sink = MakeSink();
  Consume(sink, 1);
  Publish({"1", "2", "3"});
  EXPECT_THAT(sink->bodies(), ElementsAre("1"));
  EXPECT_EQ(core().ready_count(), 0u);
  Ack({1});
  WaitGet(MakeSink(), 7);
  Publish({"4", "5"});
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "4"));
  EXPECT_THAT(Bodies(*answers_.at(7)), ElementsAre("5"));
}

TEST_F(CoreTest, TTL_06_ZeroBehindALiveHeadWaitsForItsTurnToBeDropped) {
  Publish({"head"});
  PublishWithExpiration("zero", "0");
  EXPECT_EQ(core().ready_count(), 2u);
  EXPECT_THAT(GetAll(), ElementsAre("head"));
  EXPECT_EQ(core().ready_count(), 0u);
}

TEST_F(CoreTest, TTL_07_WhatIsOutDoesNotExpire) {
  Make(kTtl100);
  Publish({"1"});
  const uint64_t id = Get(MakeSink()).deliveries[0].delivery_id;
  Pass(absl::Seconds(1));
  EXPECT_EQ(core().unacked_count(), 1u);
  EXPECT_THAT(Ack({id}), IsEmpty());
  EXPECT_THAT(dead_, IsEmpty());
}

TEST_F(CoreTest, TTL_08_RequeueKeepsTheDeadline) {
  Make(kTtl100);
  Publish({"1", "2"});
  const GetResult got = Get(MakeSink(), 2);
  Pass(50 * kMs);
  Requeue({got.deliveries[0].delivery_id});
  EXPECT_EQ(core().next_wake(), now_ + 50 * kMs);
  Pass(50 * kMs);
  EXPECT_EQ(core().ready_count(), 0u);
  // Past its time already: it goes at once.
  Requeue({got.deliveries[1].delivery_id});
  EXPECT_EQ(core().ready_count(), 0u);
  EXPECT_THAT(dead_, ElementsAre(Pair("1", DeathReason::kExpired),
                                 Pair("2", DeathReason::kExpired)));
}

TEST_F(CoreTest, TTL_09_TheMessageIsDeliveredUnchanged) {
  MessageParts parts;
  parts.body = "m";
  parts.expiration = "60000";
  const MessageRef message = MessageOf(parts);
  PublishMessages({message});
  EXPECT_EQ(Get(MakeSink()).deliveries[0].message->encoded(),
            message->encoded());
}

TEST_F(CoreTest, PRIO_06_EachPriorityHasAHeadOfItsOwn) {
  Make({{"x-max-priority", int32_t{5}}});
  PublishWithPriority("high", 5);
  MessageParts low;
  low.body = "low";
  low.priority = 1;
  low.expiration = "80";
  PublishMessages({MessageOf(low)});
  Pass(absl::Seconds(1));
  EXPECT_EQ(core().ready_count(), 2u);
  EXPECT_THAT(GetAll(), ElementsAre("high"));
  EXPECT_EQ(core().ready_count(), 0u);
}

TEST_F(CoreTest, TTL_03_DrainIsAnsweredWhenTheRestExpires) {
  Make(kTtl100);
  auto sink = MakeSink();
  const ConsumerId id =
      Consume(sink, [](ConsumeParams& params) { params.prefetch_count = 1; });
  Publish({"1", "2"});
  Grant(id, 0, /*drain=*/true);
  EXPECT_THAT(sink->drained(), IsEmpty());
  Pass(100 * kMs);
  EXPECT_THAT(sink->drained(), SizeIs(1));
}

}  // namespace
}  // namespace kelpmq::service::testing
