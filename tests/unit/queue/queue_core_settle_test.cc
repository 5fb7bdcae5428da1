// Gets, settling and order: GET, TAG, ACK, NACK, RECOVER, ORDER, MSG, LIMIT-05.

#include "tests/unit/queue/core_fixture.h"

namespace kelpmq::service::testing {
namespace {

TEST_F(CoreTest, GET_01_EmptyQueueGivesNothing) {
  const GetResult result = Get(MakeSink());
  EXPECT_THAT(result.deliveries, IsEmpty());
  EXPECT_EQ(result.message_count, 0u);
  EXPECT_EQ(core().holder_count(), 0u);
}

TEST_F(CoreTest, GET_03_MessageCountIsWhatIsLeftReady) {
  Publish({"1", "2", "3"});
  EXPECT_EQ(Get(MakeSink()).message_count, 2u);
  EXPECT_EQ(Get(MakeSink(), 5).message_count, 0u);
}

TEST_F(CoreTest, GET_05_GetIgnoresPrefetch) {
  auto sink = MakeSink();
  Consume(sink, 1);
  Publish({"1", "2", "3"});
  EXPECT_THAT(Bodies(Get(sink, 2)), ElementsAre("2", "3"));
}

TEST_F(CoreTest, GetStopsBeforeItsByteLimit) {
  Publish({"1", "2", "3"});
  const size_t each = EncodedDeliveryBytes(*PlainMessage("", "q", "1"));
  const auto result = TryGet(MakeSink(), [each](GetParams& params) {
    params.max_messages = 10;
    params.max_bytes = 2 * each + 1;
  });
  EXPECT_THAT(Bodies(**result), ElementsAre("1", "2"));
  EXPECT_EQ((*result)->message_count, 1u);
  EXPECT_EQ((*result)->required_bytes, 0u);
}

TEST_F(CoreTest, GetLeavesAFirstMessageThatDoesNotFitAlone) {
  Publish({"1"});
  const size_t each = EncodedDeliveryBytes(*PlainMessage("", "q", "1"));
  const auto result = TryGet(
      MakeSink(), [each](GetParams& params) { params.max_bytes = each - 1; });
  EXPECT_THAT((*result)->deliveries, IsEmpty());
  EXPECT_EQ((*result)->required_bytes, each);
  EXPECT_EQ(Get(MakeSink()).deliveries[0].delivery_count, 0u);
}

TEST_F(CoreTest, GetTakesALargerFirstMessageAlone) {
  Publish({"1", "2"});
  const size_t each = EncodedDeliveryBytes(*PlainMessage("", "q", "1"));
  const auto result = TryGet(MakeSink(), [each](GetParams& params) {
    params.max_messages = 10;
    params.max_bytes = each - 1;
    params.max_first_bytes = each;
  });
  EXPECT_THAT(Bodies(**result), ElementsAre("1"));
  EXPECT_EQ((*result)->required_bytes, 0u);
}

TEST_F(CoreTest, GetLetsGoOnWhomTheOldHeadDidNotFit) {
  auto sink = MakeSink();
  Consume(sink, [](ConsumeParams& params) { params.prefetch_bytes = 50; });
  Publish({"1", std::string(100, 'x'), "3"});
  EXPECT_THAT(sink->bodies(), ElementsAre("1"));
  EXPECT_EQ(Get(MakeSink()).message_count, 1u);
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "3"));
}

TEST_F(CoreTest, WaitingGetIsAnsweredByTheNextMessage) {
  auto holder = MakeSink();
  WaitGet(holder, 5);
  Publish({"1", "2"});
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(Bodies(*answers_.at(5)), ElementsAre("1"));
  EXPECT_EQ(answers_.at(5)->message_count, 1u);
  EXPECT_EQ(core().unacked_count(), 1u);
  EXPECT_EQ(Release(holder), 1u);
}

TEST_F(CoreTest, WaitingGetsTakeTurnsAmongPriorityZeroConsumers) {
  auto before = MakeSink();
  auto after = MakeSink();
  auto low = MakeSink();
  Consume(low, [](ConsumeParams& params) { params.priority = -1; });
  Consume(before);
  WaitGet(MakeSink(), 1);
  Consume(after);
  Publish({"1", "2", "3", "4"});
  EXPECT_THAT(before->bodies(), ElementsAre("1", "4"));
  EXPECT_THAT(Bodies(*answers_.at(1)), ElementsAre("2"));
  EXPECT_THAT(after->bodies(), ElementsAre("3"));
  EXPECT_THAT(low->bodies(), IsEmpty());
}

TEST_F(CoreTest, WaitingGetsAreServedFirstComeFirstServed) {
  WaitGet(MakeSink(), 9);
  WaitGet(MakeSink(), 3);
  Publish({"1", "2"});
  EXPECT_THAT(Bodies(*answers_.at(9)), ElementsAre("1"));
  EXPECT_THAT(Bodies(*answers_.at(3)), ElementsAre("2"));
}

TEST_F(CoreTest, WaitingGetDoesNotCountAsAConsumer) {
  Make({{"x-expires", int32_t{1000}}});
  WaitGet(MakeSink(), 1);
  EXPECT_EQ(core().consumer_count(), 0u);
  Consume(MakeSink(), [](ConsumeParams& params) { params.exclusive = true; });
}

TEST_F(CoreTest, EndGetWaitAnswersWithNothing) {
  WaitGet(MakeSink(), 1);
  QueueEffects effects;
  core().EndGetWait(1, &effects);
  core().EndGetWait(1, &effects);
  CarryOut(effects);
  ASSERT_TRUE(answers_.at(1).ok());
  EXPECT_THAT(answers_.at(1)->deliveries, IsEmpty());
  Publish({"1"});
  EXPECT_EQ(core().ready_count(), 1u);
}

TEST_F(CoreTest, ReleaseEndsTheSinksWaitingGets) {
  auto gone = MakeSink();
  WaitGet(gone, 1);
  WaitGet(MakeSink(), 2);
  Release(gone);
  ASSERT_TRUE(answers_.at(1).ok());
  EXPECT_THAT(answers_.at(1)->deliveries, IsEmpty());
  Publish({"1"});
  EXPECT_THAT(Bodies(*answers_.at(2)), ElementsAre("1"));
}

TEST_F(CoreTest, WaitingGetThatTheMessageDoesNotFitIsToldSo) {
  auto result = TryGet(MakeSink(), [](GetParams& params) {
    params.wait_id = 1;
    params.max_bytes = 50;
  });
  ASSERT_FALSE(result->has_value());
  Publish({std::string(100, 'x')});
  EXPECT_GT(answers_.at(1)->required_bytes, 100u);
  EXPECT_EQ(core().ready_count(), 1u);
}

TEST_F(CoreTest, TAG_01_UnknownIdsComeBack) {
  Publish({"1"});
  Get(MakeSink());
  EXPECT_THAT(Ack({0, 1, 2}), ElementsAre(0, 2));
  EXPECT_THAT(Ack({1}), ElementsAre(1));
}

TEST_F(CoreTest, TAG_03_RedeliveryGetsANewId) {
  Publish({"1"});
  EXPECT_EQ(Get(MakeSink()).deliveries[0].delivery_id, 1u);
  Requeue({1});
  EXPECT_EQ(Get(MakeSink()).deliveries[0].delivery_id, 2u);
  EXPECT_THAT(Ack({1}), ElementsAre(1)) << "the old id is nobody's";
}

TEST_F(CoreTest, ACK_01_SeveralAtOnce) {
  Publish({"1", "2", "3"});
  Get(MakeSink(), 3);
  EXPECT_THAT(Ack({1, 2, 3}), IsEmpty());
  EXPECT_EQ(core().unacked_count(), 0u);
  EXPECT_EQ(core().message_bytes(), 0u);
}

TEST_F(CoreTest, ACK_03_SettlingAfterDeleteHasNoEffect) {
  Publish({"1"});
  Get(MakeSink());
  QueueEffects effects;
  core().Delete(false, false, &effects).IgnoreError();
  EXPECT_THAT(Ack({1}), ElementsAre(1));
}

TEST_F(CoreTest, NACK_01_RequeueGoesToTheOriginalPlace) {
  Publish({"1", "2", "3", "4"});
  Get(MakeSink(), 3);
  Requeue({3});
  Requeue({1});
  Publish({"5"});
  Requeue({2});
  EXPECT_THAT(GetAll(), ElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(CoreTest, NACK_02_SeveralKeepTheirOrder) {
  Publish({"1", "2", "3"});
  Get(MakeSink(), 3);
  Requeue({3, 1, 2});
  EXPECT_THAT(GetAll(), ElementsAre("1", "2", "3"));
}

TEST_F(CoreTest, NACK_03_DiscardDrops) {
  Publish({"1", "2"});
  Get(MakeSink());
  EXPECT_THAT(Settle(SettleAction::kDiscard, {1}), IsEmpty());
  EXPECT_THAT(GetAll(), ElementsAre("2"));
}

TEST_F(CoreTest, NACK_04_DeliveryCountCountsEarlierDeliveries) {
  Publish({"1"});
  for (uint32_t count = 0; count < 3; ++count) {
    const GetResult result = Get(MakeSink());
    EXPECT_EQ(result.deliveries[0].delivery_count, count);
    Requeue({result.deliveries[0].delivery_id});
  }
}

TEST_F(CoreTest, NACK_05_ALoneConsumerGetsItBackAtOnce) {
  auto sink = MakeSink();
  Consume(sink, 1);
  Publish({"1", "2"});
  Requeue({1});
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "1"));
}

TEST_F(CoreTest, NACK_06_OrderIsRestoredOverSeveralSinksReturns) {
  auto a = MakeSink();
  auto b = MakeSink();
  Publish({"1", "2", "3", "4"});
  for (int i = 0; i < 2; ++i) {
    Get(a);
    Get(b);
  }
  Release(b);
  Release(a);
  EXPECT_THAT(GetAll(), ElementsAre("1", "2", "3", "4"));
}

TEST_F(CoreTest, NACK_07_EachIdIsSettledOnItsOwn) {
  Publish({"1", "2", "3"});
  Get(MakeSink(), 3);
  Ack({2});
  Requeue({3});
  Settle(SettleAction::kDiscard, {1});
  EXPECT_THAT(GetAll(), ElementsAre("3"));
}

TEST_F(CoreTest, RECOVER_01_RequeueOfAllIsRedelivered) {
  auto sink = MakeSink();
  Consume(sink, 2);
  Publish({"1", "2"});
  Requeue({1, 2});
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "2", "1", "2"));
  EXPECT_EQ(sink->delivered()[3].delivery.delivery_count, 1u);
}

TEST_F(CoreTest, ORDER_01_BatchesStayInOrder) {
  Publish({"1", "2"});
  Publish({"3", "4"});
  EXPECT_THAT(GetAll(), ElementsAre("1", "2", "3", "4"));
}

TEST_F(CoreTest, MSG_02_EmptyBodiesAreDelivered) {
  Publish({""});
  EXPECT_THAT(GetAll(), ElementsAre(""));
}

TEST_F(CoreTest, MessageBytesCountReadyAndUnackedBodies) {
  Publish({"four", "sixsix"});
  EXPECT_EQ(core().message_bytes(), 10u);
  Get(MakeSink());
  EXPECT_EQ(core().message_bytes(), 10u);
  Ack({1});
  EXPECT_EQ(core().message_bytes(), 6u);
}

TEST_F(CoreTest, LIMIT_05_OnlyTheTimedOutDeliveryIsRequeued) {
  auto sink = MakeSink();
  Consume(sink, [](ConsumeParams& params) {
    params.delivery_timeout = absl::Seconds(10);
    params.prefetch_count = 2;
  });
  Publish({"1"});
  Pass(absl::Seconds(5));
  Publish({"2"});
  EXPECT_EQ(core().next_wake(), now_ + absl::Seconds(5));
  Pass(absl::Seconds(5));
  ASSERT_THAT(sink->lost(), SizeIs(1));
  EXPECT_THAT(sink->lost()[0].delivery_ids, ElementsAre(1));
  EXPECT_EQ(sink->lost()[0].reason, LostReason::kDeliveryTimeout);
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "2", "1"));
  EXPECT_EQ(sink->delivered()[2].delivery.delivery_count, 1u);
  EXPECT_THAT(sink->cancelled(), IsEmpty());
  EXPECT_THAT(Ack({1, 2, 3}), ElementsAre(1));
  EXPECT_EQ(core().next_wake(), absl::InfiniteFuture());
}

TEST_F(CoreTest, LIMIT_05_TheQueuesTimeoutHoldsForConsumersWithNone) {
  Make({{"x-consumer-timeout", int32_t{1000}}});
  auto own = MakeSink();
  auto none = MakeSink();
  Consume(own, [](ConsumeParams& params) {
    params.delivery_timeout = absl::Seconds(3);
    params.prefetch_count = 1;
  });
  Consume(none, 1);
  Publish({"1", "2"});
  Pass(absl::Seconds(1));
  EXPECT_THAT(own->lost(), IsEmpty());
  ASSERT_THAT(none->lost(), SizeIs(1));
  Pass(absl::Seconds(2));
  EXPECT_THAT(own->lost(), SizeIs(1));
}

TEST_F(CoreTest, LIMIT_05_GetsAndAutoAckHaveNoTimeout) {
  Make({{"x-consumer-timeout", int32_t{1000}}});
  auto sink = MakeSink();
  Publish({"1", "2"});
  Get(sink);
  Consume(sink, [](ConsumeParams& params) { params.auto_ack = true; });
  EXPECT_EQ(core().next_wake(), absl::InfiniteFuture());
  Pass(absl::Hours(1));
  EXPECT_THAT(sink->lost(), IsEmpty());
}

}  // namespace
}  // namespace kelpmq::service::testing
