// How queues end: QLIFE, QEXP, QDEL, QPURGE.

#include "tests/unit/queue/core_fixture.h"

namespace kelpmq::service::testing {
namespace {

TEST_F(CoreTest, QLIFE_03_AutoDeleteGoesWithItsLastConsumer) {
  Make({}, /*auto_delete=*/true);
  auto sink = MakeSink();
  const ConsumerId first = Consume(sink);
  const ConsumerId second = Consume(sink);
  Cancel(first);
  EXPECT_FALSE(core().closed());
  Cancel(second);
  EXPECT_TRUE(core().closed());
  EXPECT_EQ(closed_, CancelReason::kQueueDeleted);
  EXPECT_THAT(sink->cancelled(), IsEmpty());
}

TEST_F(CoreTest, QLIFE_03_AutoDeleteWaitsForAFirstConsumer) {
  Make({}, /*auto_delete=*/true);
  Publish({"1"});
  auto sink = MakeSink();
  Get(sink);
  Release(sink);
  Pass(absl::Hours(1000));
  EXPECT_FALSE(core().closed());
}

TEST_F(CoreTest, QLIFE_03_AutoDeleteLosesWhatIsOut) {
  Make({}, /*auto_delete=*/true);
  auto sink = MakeSink();
  auto getter = MakeSink();
  Publish({"1", "2", "3"});
  Get(getter);
  const ConsumerId id = Consume(sink, 1);
  Cancel(id);
  ASSERT_THAT(getter->lost(), SizeIs(1));
  EXPECT_THAT(getter->lost()[0].delivery_ids, ElementsAre(1));
  ASSERT_THAT(sink->lost(), SizeIs(1));
  EXPECT_THAT(sink->lost()[0].delivery_ids, ElementsAre(2));
  EXPECT_EQ(core().ready_count(), 0u);
  EXPECT_EQ(core().unacked_count(), 0u);
  EXPECT_EQ(core().message_bytes(), 0u);
  EXPECT_EQ(core().holder_count(), 0u);
}

TEST_F(CoreTest, QLIFE_03_ReleasedSinkHearsNothing) {
  Make({}, /*auto_delete=*/true);
  auto sink = MakeSink();
  auto getter = MakeSink();
  Publish({"1", "2"});
  Get(getter);
  Consume(sink);
  EXPECT_EQ(Release(sink), 0u) << "dropped, not requeued";
  EXPECT_TRUE(core().closed());
  EXPECT_THAT(sink->lost(), IsEmpty());
  EXPECT_THAT(sink->cancelled(), IsEmpty());
  EXPECT_THAT(getter->lost(), SizeIs(1));
}

TEST_F(CoreTest, QLIFE_03_TooLargeADeliveryEndsAnAutoDeleteQueue) {
  Make({}, /*auto_delete=*/true);
  auto sink = MakeSink();
  Consume(sink, [](ConsumeParams& params) { params.max_delivery_bytes = 100; });
  Publish({"1", std::string(200, 'x')});
  EXPECT_THAT(sink->bodies(), ElementsAre("1"));
  EXPECT_THAT(sink->cancelled(), SizeIs(1));
  ASSERT_THAT(sink->lost(), SizeIs(1));
  EXPECT_THAT(sink->lost()[0].delivery_ids, ElementsAre(1));
  EXPECT_TRUE(core().closed());
}

TEST_F(CoreTest, QEXP_01_AnUnusedQueueExpires) {
  Make({{"x-expires", int32_t{1000}}});
  EXPECT_EQ(core().next_wake(), now_ + absl::Seconds(1));
  Pass(absl::Milliseconds(999));
  EXPECT_FALSE(core().closed());
  Pass(absl::Milliseconds(1));
  EXPECT_EQ(closed_, CancelReason::kQueueExpired);
  EXPECT_EQ(core().next_wake(), absl::InfiniteFuture());
}

TEST_F(CoreTest, QEXP_02_AConsumerKeepsIt) {
  Make({{"x-expires", int32_t{1000}}});
  auto sink = MakeSink();
  const ConsumerId id = Consume(sink);
  EXPECT_EQ(core().next_wake(), absl::InfiniteFuture());
  EXPECT_EQ(core().unused_since(), absl::InfinitePast());
  Pass(absl::Seconds(5));
  Cancel(id);
  EXPECT_EQ(core().unused_since(), now_);
  Pass(absl::Milliseconds(999));
  EXPECT_FALSE(core().closed());
  Pass(absl::Milliseconds(1));
  EXPECT_TRUE(core().closed());
}

TEST_F(CoreTest, QEXP_03_RedeclareAndGetRenewTheLease) {
  Make({{"x-expires", int32_t{1000}}});
  Pass(absl::Milliseconds(600));
  core().Touch(now_);
  Pass(absl::Milliseconds(600));
  Get(MakeSink());
  Pass(absl::Milliseconds(600));
  EXPECT_FALSE(core().closed());
  Pass(absl::Milliseconds(400));
  EXPECT_TRUE(core().closed());
}

TEST_F(CoreTest, QEXP_03_WaitingDoesNotRenewTheLease) {
  Make({{"x-expires", int32_t{1000}}});
  WaitGet(MakeSink(), 1);
  Pass(absl::Seconds(1));
  EXPECT_EQ(ReasonOf(answers_.at(1)), "QUEUE_DELETED");
}

TEST_F(CoreTest, QEXP_04_PublishingDoesNotRenew) {
  Make({{"x-expires", int32_t{1000}}});
  Pass(absl::Milliseconds(600));
  Publish({"1"});
  Pass(absl::Milliseconds(400));
  EXPECT_TRUE(core().closed());
}

TEST_F(CoreTest, QEXP_05_MessagesOfAnExpiredQueueAreDropped) {
  Make({{"x-expires", int32_t{1000}}});
  auto sink = MakeSink();
  Publish({"1", "2"});
  Get(sink);
  Pass(absl::Seconds(1));
  EXPECT_EQ(core().ready_count(), 0u);
  EXPECT_THAT(sink->lost(), SizeIs(1));
}

TEST_F(CoreTest, QDEL_02_DeleteCountsReadyMessagesAlone) {
  Publish({"1", "2", "3"});
  Get(MakeSink());
  QueueEffects effects;
  EXPECT_EQ(**core().Delete(false, false, &effects), 2u);
  EXPECT_EQ(*core().Delete(false, false, &effects), std::nullopt);
}

TEST_F(CoreTest, QDEL_03_IfUnusedAndIfEmpty) {
  auto sink = MakeSink();
  Publish({"1"});
  QueueEffects effects;
  const absl::Status not_empty = core().Delete(true, true, &effects).status();
  EXPECT_EQ(not_empty.message(),
            "PRECONDITION_FAILED - queue 'q' in vhost 'v' not empty");
  EXPECT_EQ(ReasonOf(not_empty), "QUEUE_NOT_EMPTY");
  const ConsumerId id = Consume(sink, 1);
  Publish({"2"});
  const absl::Status in_use = core().Delete(true, true, &effects).status();
  EXPECT_EQ(in_use.message(),
            "PRECONDITION_FAILED - queue 'q' in vhost 'v' in use");
  EXPECT_EQ(ReasonOf(in_use), "QUEUE_IN_USE");
  Cancel(id);
  Get(sink);
  EXPECT_TRUE(core().Delete(true, true, &effects).ok())
      << "unacked messages do not count";
}

TEST_F(CoreTest, QDEL_03_AQuorumQueueKnowsNoConditions) {
  Make({{"x-queue-type", "quorum"}});
  QueueEffects effects;
  const absl::Status refused = core().Delete(true, true, &effects).status();
  EXPECT_EQ(ReasonOf(refused), "FEATURE_UNSUPPORTED");
  EXPECT_EQ(refused.message(),
            "NOT_IMPLEMENTED - cannot delete queue 'q' in vhost 'v'. "
            "queue.delete operations with if-unused flag set are not supported "
            "by quorum queues");
  EXPECT_EQ(ReasonOf(core().Delete(false, true, &effects)),
            "FEATURE_UNSUPPORTED");
  EXPECT_TRUE(core().Delete(false, false, &effects).ok());
}

TEST_F(CoreTest, QDEL_03_AWaitingGetIsNoUse) {
  WaitGet(MakeSink(), 1);
  QueueEffects effects;
  EXPECT_TRUE(core().Delete(true, true, &effects).ok());
  CarryOut(effects);
  EXPECT_EQ(ReasonOf(answers_.at(1)), "QUEUE_DELETED");
  EXPECT_EQ(answers_.at(1).status().message(),
            "NOT_FOUND - queue 'q' in vhost 'v' has been deleted");
}

TEST_F(CoreTest, QPURGE_01_PurgeDropsReadyMessagesOnly) {
  Publish({"1", "2", "3"});
  Get(MakeSink());
  QueueEffects effects;
  EXPECT_EQ(core().Purge(&effects), 2u);
  EXPECT_EQ(core().message_bytes(), 1u);
  Requeue({1});
  EXPECT_THAT(GetAll(), ElementsAre("1"));
}

TEST_F(CoreTest, AClosedQueueHoldsNothing) {
  QueueEffects effects;
  core().Delete(false, false, &effects).IgnoreError();
  Publish({"1"});
  EXPECT_EQ(core().ready_count(), 0u);
  EXPECT_EQ(ReasonOf(TryGet(MakeSink(), [](GetParams&) {})), "QUEUE_DELETED");
  EXPECT_EQ(ReasonOf(TryConsume(MakeSink(), [](ConsumeParams&) {})),
            "QUEUE_DELETED");
  EXPECT_EQ(core().Purge(&effects), 0u);
}

}  // namespace
}  // namespace kelpmq::service::testing
