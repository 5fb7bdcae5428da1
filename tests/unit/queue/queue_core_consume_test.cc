// Consumers of one queue: CONS, CANCEL, PRIOC, QOS, credit, limits.

#include "tests/unit/queue/core_fixture.h"

namespace kelpmq::service::testing {
namespace {

TEST_F(CoreTest, CONS_01_DeliveriesComeInQueueOrder) {
  Publish({"1", "2"});
  auto sink = MakeSink();
  Consume(sink);
  Publish({"3"});
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "2", "3"));
}

TEST_F(CoreTest, CONS_01_ConsumerIdsAreNeverReused) {
  auto sink = MakeSink();
  const ConsumerId first = Consume(sink);
  Cancel(first);
  EXPECT_NE(Consume(sink), first);
}

TEST_F(CoreTest, CONS_04_ExclusiveNeedsToBeAlone) {
  auto sink = MakeSink();
  const auto exclusive = [](ConsumeParams& params) { params.exclusive = true; };
  const ConsumerId other = Consume(sink);
  const absl::Status taken = TryConsume(sink, exclusive).status();
  EXPECT_EQ(ReasonOf(taken), "CONSUMER_EXCLUSIVE");
  EXPECT_EQ(taken.message(),
            "ACCESS_REFUSED - queue 'q' in vhost 'v' in exclusive use");
  Cancel(other);
  const ConsumerId alone = Consume(sink, exclusive);
  EXPECT_EQ(ReasonOf(TryConsume(sink, [](ConsumeParams&) {})),
            "CONSUMER_EXCLUSIVE");
  EXPECT_EQ(ReasonOf(TryConsume(sink, exclusive)), "CONSUMER_EXCLUSIVE");
  Cancel(alone);
  Consume(sink);
}

TEST_F(CoreTest, CONS_04_GetGoesOnBesideAnExclusiveConsumer) {
  auto sink = MakeSink();
  Consume(sink, [](ConsumeParams& params) {
    params.exclusive = true;
    params.prefetch_count = 1;
  });
  Publish({"1", "2"});
  EXPECT_THAT(Bodies(Get(MakeSink())), ElementsAre("2"));
}

TEST_F(CoreTest, CONS_05_AutoAckDeliveriesAreOutUntilTheSinkSettles) {
  auto sink = MakeSink();
  Consume(sink, [](ConsumeParams& params) { params.auto_ack = true; });
  Publish({"1"});
  EXPECT_EQ(core().unacked_count(), 1u);
  Ack({1});
  EXPECT_EQ(core().unacked_count(), 0u);
}

TEST_F(CoreTest, CONS_06_ConsumersAreServedInTurn) {
  auto a = MakeSink();
  auto b = MakeSink();
  Consume(a);
  Consume(b);
  Publish({"1", "2", "3", "4", "5"});
  EXPECT_THAT(a->bodies(), ElementsAre("1", "3", "5"));
  EXPECT_THAT(b->bodies(), ElementsAre("2", "4"));
  EXPECT_EQ(a->deliver_calls(), 1u);
}

TEST_F(CoreTest, TAG_03_OneSinkSeesItsConsumersDeliveriesInDispatchOrder) {
  auto sink = MakeSink();
  Consume(sink, [](ConsumeParams& params) { params.consumer_key = 7; });
  Consume(sink, [](ConsumeParams& params) { params.consumer_key = 8; });
  Publish({"1", "2", "3"});
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "2", "3"));
  EXPECT_EQ(sink->delivered()[1].consumer_key, 8u);
}

TEST_F(CoreTest, CONS_07_CancelLeavesDeliveriesWithTheSink) {
  auto sink = MakeSink();
  const ConsumerId id = Consume(sink);
  Publish({"1", "2"});
  Cancel(id);
  EXPECT_THAT(sink->cancelled(), IsEmpty());
  EXPECT_EQ(core().unacked_count(), 2u);
  EXPECT_THAT(Ack({1, 2}), IsEmpty());
}

TEST_F(CoreTest, CONS_08_ReleaseRequeuesInPlaceAsRedelivered) {
  auto gone = MakeSink();
  Consume(gone);
  Publish({"1", "2", "3"});
  Ack({2});
  auto next = MakeSink();
  EXPECT_EQ(Release(gone), 2u);
  Publish({"4"});
  Consume(next);
  EXPECT_THAT(next->bodies(), ElementsAre("1", "3", "4"));
  EXPECT_EQ(next->delivered()[0].delivery.delivery_count, 1u);
  EXPECT_EQ(next->delivered()[2].delivery.delivery_count, 0u);
  EXPECT_THAT(gone->bodies(), SizeIs(3));
  EXPECT_THAT(gone->cancelled(), IsEmpty());
}

TEST_F(CoreTest, CONS_08_ReleaseServesTheOthersAtOnce) {
  auto gone = MakeSink();
  auto other = MakeSink();
  Consume(gone, 1);
  Consume(other, 1);
  Publish({"1", "2", "3"});
  Ack({2});
  EXPECT_THAT(other->bodies(), ElementsAre("2", "3"));
  Ack({3});
  Release(gone);
  EXPECT_THAT(other->bodies(), ElementsAre("2", "3", "1"));
}

TEST_F(CoreTest, CONS_08_ReleaseOfAStrangerDoesNothing) {
  Publish({"1"});
  EXPECT_EQ(Release(MakeSink()), 0u);
  EXPECT_EQ(core().ready_count(), 1u);
}

TEST_F(CoreTest, SinksAreForgottenOnceNothingOfThemIsLeft) {
  auto sink = MakeSink();
  const ConsumerId id = Consume(sink);
  Publish({"1"});
  Cancel(id);
  EXPECT_EQ(core().holder_count(), 1u);
  Ack({1});
  EXPECT_EQ(core().holder_count(), 0u);
  EXPECT_EQ(sink.use_count(), 1);
}

TEST_F(CoreTest, CANCEL_01_DeleteTellsDeliveriesThenConsumers) {
  auto sink = MakeSink();
  Consume(sink, 1);
  Publish({"1", "2"});
  QueueEffects effects;
  EXPECT_EQ(**core().Delete(false, false, &effects), 1u);
  ASSERT_THAT(effects.events, SizeIs(2));
  EXPECT_TRUE(
      std::holds_alternative<QueueEffects::Lose>(effects.events[0].what));
  CarryOut(effects);
  ASSERT_THAT(sink->lost(), SizeIs(1));
  EXPECT_THAT(sink->lost()[0].delivery_ids, ElementsAre(1));
  EXPECT_EQ(sink->lost()[0].reason, LostReason::kQueueDeleted);
  ASSERT_THAT(sink->cancelled(), SizeIs(1));
  EXPECT_EQ(sink->cancelled()[0].reason, CancelReason::kQueueDeleted);
  EXPECT_EQ(ReasonOf(sink->cancelled()[0].error), "QUEUE_DELETED");
}

TEST_F(CoreTest, PRIOC_01_HigherPriorityFirstWhileItHasRoom) {
  auto low = MakeSink();
  auto high = MakeSink();
  Consume(low);
  Consume(high, [](ConsumeParams& params) {
    params.arguments = {{"x-priority", int32_t{3}}};
    params.prefetch_count = 2;
  });
  Publish({"1", "2", "3"});
  EXPECT_THAT(high->bodies(), ElementsAre("1", "2"));
  EXPECT_THAT(low->bodies(), ElementsAre("3"));
  Ack({1});
  Publish({"4"});
  EXPECT_THAT(high->bodies(), ElementsAre("1", "2", "4"));
}

TEST_F(CoreTest, PRIOC_02_PriorityMustBeAnInteger) {
  EXPECT_EQ(ReasonOf(TryConsume(MakeSink(),
                                [](ConsumeParams& params) {
                                  params.arguments = {{"x-priority", "high"}};
                                })),
            "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(core().consumer_count(), 0u);
}

TEST_F(CoreTest, QOS_01_LimitIsPerConsumerAndAnySettlingFreesOne) {
  auto sink = MakeSink();
  Consume(sink, 1);
  Consume(sink, 2);
  Publish({"1", "2", "3", "4", "5", "6"});
  EXPECT_THAT(sink->bodies(), SizeIs(3));
  Ack({1});
  EXPECT_THAT(sink->bodies(), SizeIs(4));
  Settle(SettleAction::kDiscard, {2});
  EXPECT_THAT(sink->bodies(), SizeIs(5));
  Requeue({3});
  EXPECT_THAT(sink->bodies(), SizeIs(6));
}

TEST_F(CoreTest, QOS_02_ConsumersKeepTheirOwnLimits) {
  auto a = MakeSink();
  auto b = MakeSink();
  const ConsumerId first = Consume(a, 1);
  Consume(b, 3);
  Publish({"1", "2", "3", "4", "5", "6"});
  EXPECT_THAT(a->bodies(), SizeIs(1));
  EXPECT_THAT(b->bodies(), SizeIs(3));
  Update(first, [](UpdateConsumerParams& p) { p.prefetch_count = 2; });
  EXPECT_THAT(a->bodies(), SizeIs(2));
  EXPECT_THAT(b->bodies(), SizeIs(3));
}

TEST_F(CoreTest, QOS_03_AutoAckIsNotLimited) {
  auto sink = MakeSink();
  Consume(sink, [](ConsumeParams& params) {
    params.auto_ack = true;
    params.prefetch_count = 1;
    params.prefetch_bytes = 1;
  });
  Publish({"1", "2", "3"});
  EXPECT_THAT(sink->bodies(), SizeIs(3));
}

TEST_F(CoreTest, QOS_07_ZeroIsNoLimit) {
  auto sink = MakeSink();
  Consume(sink, 0);
  Publish(std::vector<std::string>(1000, "m"));
  EXPECT_THAT(sink->bodies(), SizeIs(1000));
}

TEST_F(CoreTest, LoweringPrefetchTakesNothingBack) {
  auto sink = MakeSink();
  const ConsumerId id = Consume(sink, 3);
  Publish({"1", "2", "3", "4"});
  Update(id, [](UpdateConsumerParams& p) { p.prefetch_count = 1; });
  EXPECT_THAT(sink->lost(), IsEmpty());
  Ack({1, 2});
  EXPECT_THAT(sink->bodies(), SizeIs(3));
  Ack({3});
  EXPECT_THAT(sink->bodies(), SizeIs(4));
}

TEST_F(CoreTest, PrefetchBytesLetALargeMessageOutAlone) {
  auto sink = MakeSink();
  Consume(sink, [](ConsumeParams& params) { params.prefetch_bytes = 50; });
  Publish({std::string(200, 'x'), "small"});
  EXPECT_THAT(sink->bodies(), SizeIs(1));
  Ack({1});
  EXPECT_THAT(sink->bodies(), SizeIs(2));
}

TEST_F(CoreTest, PausedConsumersGetNothing) {
  auto sink = MakeSink();
  const ConsumerId id = Consume(sink);
  Update(id, [](UpdateConsumerParams& p) { p.paused = true; });
  Publish({"1"});
  EXPECT_THAT(sink->bodies(), IsEmpty());
  Update(id, [](UpdateConsumerParams& p) { p.paused = false; });
  EXPECT_THAT(sink->bodies(), ElementsAre("1"));
}

TEST_F(CoreTest, RefusedRoomHoldsTheConsumerUntilItResumes) {
  auto full = MakeSink();
  auto other = MakeSink();
  full->set_room(1);
  const ConsumerId id = Consume(full);
  Publish({"1", "2"});
  EXPECT_THAT(full->bodies(), ElementsAre("1"));
  EXPECT_EQ(core().ready_count(), 1u);
  Consume(other);
  EXPECT_THAT(other->bodies(), ElementsAre("2"));
  full->set_room(SIZE_MAX);
  Publish({"3"});
  EXPECT_THAT(other->bodies(), ElementsAre("2", "3"));
  EXPECT_THAT(full->reserved_bytes(), SizeIs(2)) << "asked while refused";
  Resume(id);
  Publish({"4", "5"});
  EXPECT_THAT(full->bodies(), ElementsAre("1", "5"));
}

TEST_F(CoreTest, RoomIsAskedForEncodedBytes) {
  auto sink = MakeSink();
  Consume(sink);
  Publish({"1"});
  const MessageRef message = sink->delivered()[0].delivery.message;
  EXPECT_THAT(sink->reserved_bytes(),
              ElementsAre(message->wire().size() + kDeliveryOverheadBytes));
}

TEST_F(CoreTest, ManualCreditIsOnTopOfPrefetch) {
  auto sink = MakeSink();
  const ConsumerId id = Consume(sink, [](ConsumeParams& params) {
    params.manual_credit = true;
    params.prefetch_count = 2;
  });
  Publish({"1", "2", "3", "4"});
  EXPECT_THAT(sink->bodies(), IsEmpty());
  Grant(id, 1);
  EXPECT_THAT(sink->bodies(), SizeIs(1));
  Grant(id, 2);
  EXPECT_THAT(sink->bodies(), SizeIs(2)) << "the window is full";
  Ack({1});
  EXPECT_THAT(sink->bodies(), SizeIs(3));
  Ack({2, 3});
  EXPECT_THAT(sink->bodies(), SizeIs(3)) << "the credit is used up";
}

TEST_F(CoreTest, DrainAnswersOnceAllThatWasReadyIsOut) {
  auto sink = MakeSink();
  const ConsumerId id = Consume(sink, [](ConsumeParams& params) {
    params.manual_credit = true;
    params.prefetch_count = 1;
  });
  Publish({"1", "2"});
  Grant(id, 5, /*drain=*/true);
  EXPECT_THAT(sink->drained(), IsEmpty());
  Ack({1});
  ASSERT_THAT(sink->drained(), SizeIs(1));
  EXPECT_EQ(sink->drained()[0].unused_credit, 3u);
  Ack({2});
  Publish({"3"});
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "2")) << "credit is now 0";
}

TEST_F(CoreTest, DrainWithCreditUsedUpAnswersZero) {
  auto sink = MakeSink();
  const ConsumerId id =
      Consume(sink, [](ConsumeParams& params) { params.manual_credit = true; });
  Publish({"1", "2"});
  Grant(id, 1, /*drain=*/true);
  ASSERT_THAT(sink->drained(), SizeIs(1));
  EXPECT_EQ(sink->drained()[0].unused_credit, 0u);
  EXPECT_THAT(sink->bodies(), ElementsAre("1"));
}

TEST_F(CoreTest, DrainOfAnEmptyQueueAnswersAtOnce) {
  auto sink = MakeSink();
  const ConsumerId id =
      Consume(sink, [](ConsumeParams& params) { params.manual_credit = true; });
  Grant(id, 4, /*drain=*/true);
  ASSERT_THAT(sink->drained(), SizeIs(1));
  EXPECT_EQ(sink->drained()[0].unused_credit, 4u);
}

TEST_F(CoreTest, TooLargeADeliveryCancelsTheConsumer) {
  auto sink = MakeSink();
  auto other = MakeSink();
  Consume(sink, [](ConsumeParams& params) { params.max_delivery_bytes = 100; });
  Publish({"1", std::string(200, 'x'), "3"});
  EXPECT_THAT(sink->bodies(), ElementsAre("1"));
  ASSERT_THAT(sink->cancelled(), SizeIs(1));
  EXPECT_EQ(sink->cancelled()[0].reason, CancelReason::kResponseTooSmall);
  EXPECT_EQ(ReasonOf(sink->cancelled()[0].error), "RESPONSE_TOO_SMALL");
  EXPECT_GT(sink->cancelled()[0].required_bytes, 200u);
  EXPECT_EQ(core().consumer_count(), 0u);
  Consume(other);
  ASSERT_THAT(other->bodies(), SizeIs(2));
  EXPECT_EQ(other->delivered()[0].delivery.delivery_count, 0u) << "uncounted";
}

TEST_F(CoreTest, CallsAboutAConsumerThatIsGoneAreIgnored) {
  auto sink = MakeSink();
  const ConsumerId id = Consume(sink);
  Cancel(id);
  Cancel(id);
  Grant(id, 1, /*drain=*/true);
  Update(id, [](UpdateConsumerParams& p) { p.paused = true; });
  Resume(id);
  EXPECT_THAT(sink->drained(), IsEmpty());
}

TEST_F(CoreTest, ListConsumersShowsWhatIsOut) {
  auto sink = MakeSink();
  Consume(sink, [](ConsumeParams& params) {
    params.consumer_tag = "first";
    params.prefetch_count = 2;
    params.priority = -4;
    params.client_name = "app";
    params.peer = "ipv4:127.0.0.1:1";
  });
  Consume(sink, [](ConsumeParams& params) { params.consumer_tag = "second"; });
  Publish({"1"});
  const std::vector<ConsumerInfo> list = core().ListConsumers();
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[0].queue, "q");
  EXPECT_EQ(list[0].consumer_tag, "first");
  EXPECT_EQ(list[0].prefetch_count, 2u);
  EXPECT_EQ(list[0].unacked_count, 0u);
  EXPECT_EQ(list[0].priority, -4);
  EXPECT_EQ(list[0].client_name, "app");
  EXPECT_EQ(list[0].peer, "ipv4:127.0.0.1:1");
  EXPECT_EQ(list[1].consumer_tag, "second");
  EXPECT_EQ(list[1].unacked_count, 1u);
}

}  // namespace
}  // namespace kelpmq::service::testing
