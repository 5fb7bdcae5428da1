#include "service/rpc/stream_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const ConsumerKey kFirst = MakeConsumerKey(1, /*auto_ack=*/false);
const ConsumerKey kSecond = MakeConsumerKey(2, /*auto_ack=*/false);
const ConsumerKey kAutoAck = MakeConsumerKey(3, /*auto_ack=*/true);

// Room in the outbox without end.
StreamWindow::Limits Wide() {
  StreamWindow::Limits limits;
  limits.max_outbox_messages = 1'000'000;
  limits.max_outbox_bytes = SIZE_MAX;
  return limits;
}
StreamWindow::Limits Prefetch(uint32_t count) {
  StreamWindow::Limits limits = Wide();
  limits.prefetch_count = count;
  return limits;
}

std::vector<DeliveryTags::Out> Outs(ConsumerKey key, uint32_t bytes,
                                    int count = 1) {
  DeliveryTags::Out out;
  out.consumer_key = key;
  out.bytes = bytes;
  return std::vector<DeliveryTags::Out>(count, out);
}

TEST(StreamWindow, KeysTellWhetherAConsumerIsAutoAck) {
  EXPECT_FALSE(IsAutoAck(kFirst));
  EXPECT_TRUE(IsAutoAck(kAutoAck));
  EXPECT_FALSE(IsAutoAck(kGetKey));
  EXPECT_NE(kFirst, kSecond);
}

TEST(StreamWindow, QOS_04_AllConsumersShareThePrefetchCount) {
  StreamWindow window(Prefetch(2));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_TRUE(window.TryReserve(kSecond, 10));
  EXPECT_FALSE(window.TryReserve(kFirst, 10));
  EXPECT_EQ(window.unsettled(), 2u);
}

TEST(StreamWindow, QOS_04_ASettleWakesThoseThatWereRefused) {
  StreamWindow window(Prefetch(1));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kSecond, 10));
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)),
              UnorderedElementsAre(kFirst, kSecond));
  // Once told, they ask anew.
  EXPECT_TRUE(window.TryReserve(kSecond, 10));
  EXPECT_THAT(window.Settled(Outs(kSecond, 10)), IsEmpty());
}

TEST(StreamWindow, QOS_03_AutoAckConsumersAreNotLimited) {
  StreamWindow window(Prefetch(2));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(window.TryReserve(kAutoAck, 10));
  EXPECT_EQ(window.unsettled(), 1u);
  EXPECT_THAT(window.Settled(Outs(kAutoAck, 10, 3)), IsEmpty());
  EXPECT_EQ(window.unsettled(), 1u);
}

TEST(StreamWindow, QOS_04_AUsedUpPrefetchHoldsBackAutoAckConsumersToo) {
  StreamWindow window(Prefetch(1));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kAutoAck, 10));
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kAutoAck));
  EXPECT_TRUE(window.TryReserve(kAutoAck, 10));
}

TEST(StreamWindow, AUsedUpByteWindowHoldsBackAutoAckConsumersToo) {
  StreamWindow::Limits limits = Wide();
  limits.prefetch_bytes = 100;
  StreamWindow window(limits);
  EXPECT_TRUE(window.TryReserve(kFirst, 90));
  EXPECT_TRUE(window.TryReserve(kAutoAck, 1000));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kAutoAck, 1));
  EXPECT_THAT(window.SetPrefetchBytes(200), ElementsAre(kAutoAck));
}

TEST(StreamWindow, TheServersCapDoesNotHoldBackAutoAckConsumers) {
  StreamWindow::Limits limits = Prefetch(0);
  limits.max_unsettled = 1;
  StreamWindow window(limits);
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_TRUE(window.TryReserve(kAutoAck, 10));
}

TEST(StreamWindow, QOS_05_RaisingWakesAndLoweringHoldsUntilBelow) {
  StreamWindow window(Prefetch(1));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kFirst, 10));
  EXPECT_THAT(window.SetPrefetchCount(3), ElementsAre(kFirst));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_THAT(window.SetPrefetchCount(1), IsEmpty());
  EXPECT_FALSE(window.TryReserve(kFirst, 10));
  EXPECT_THAT(window.Settled(Outs(kFirst, 10, 2)), IsEmpty());
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kFirst));
}

TEST(StreamWindow, QOS_07_ZeroIsNoLimitButTheServersCap) {
  StreamWindow::Limits limits = Prefetch(0);
  limits.max_unsettled = 3;
  StreamWindow window(limits);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kFirst, 10));
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kFirst));
}

TEST(StreamWindow, AMessageLargerThanTheByteWindowGoesAlone) {
  StreamWindow::Limits limits = Wide();
  limits.prefetch_bytes = 100;
  StreamWindow window(limits);
  EXPECT_TRUE(window.TryReserve(kFirst, 1000));
  EXPECT_FALSE(window.TryReserve(kFirst, 1));
  EXPECT_THAT(window.Settled(Outs(kFirst, 1000)), ElementsAre(kFirst));
  EXPECT_TRUE(window.TryReserve(kFirst, 60));
  EXPECT_FALSE(window.TryReserve(kFirst, 60));
  EXPECT_TRUE(window.TryReserve(kFirst, 40));
}

TEST(StreamWindow, ALargerByteWindowWakes) {
  StreamWindow::Limits limits = Wide();
  limits.prefetch_bytes = 100;
  StreamWindow window(limits);
  EXPECT_TRUE(window.TryReserve(kFirst, 100));
  EXPECT_FALSE(window.TryReserve(kFirst, 50));
  EXPECT_THAT(window.SetPrefetchBytes(200), ElementsAre(kFirst));
  EXPECT_TRUE(window.TryReserve(kFirst, 50));
}

TEST(StreamWindow, WhatWaitsToBeWrittenIsLimitedForAutoAckToo) {
  StreamWindow::Limits limits;
  limits.max_outbox_messages = 2;
  limits.max_outbox_bytes = 100;
  StreamWindow window(limits);
  EXPECT_TRUE(window.TryReserve(kAutoAck, 10));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kAutoAck, 10));
  EXPECT_THAT(window.Written(2, 20), ElementsAre(kAutoAck));
  // By bytes; one larger than all goes alone.
  EXPECT_TRUE(window.TryReserve(kAutoAck, 500));
  EXPECT_FALSE(window.TryReserve(kAutoAck, 1));
  EXPECT_THAT(window.Written(1, 500), ElementsAre(kAutoAck));
}

TEST(StreamWindow, WritingWakesOnlyThoseWhoHaveRoomOtherwise) {
  StreamWindow::Limits limits = Wide();
  limits.max_unsettled = 1;
  limits.max_outbox_messages = 1;
  StreamWindow window(limits);
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kAutoAck, 10));
  EXPECT_THAT(window.Written(1, 10), ElementsAre(kAutoAck));
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kFirst));
}

TEST(StreamWindow, PausingHoldsAllAndGoingOnWakes) {
  StreamWindow window(Wide());
  EXPECT_THAT(window.SetPaused(true), IsEmpty());
  EXPECT_FALSE(window.TryReserve(kFirst, 10));
  EXPECT_FALSE(window.TryReserve(kAutoAck, 10));
  EXPECT_THAT(window.SetPaused(false), UnorderedElementsAre(kFirst, kAutoAck));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
}

TEST(StreamWindow, GET_05_GetsIgnoreAndDoNotUseThePrefetch) {
  StreamWindow window(Prefetch(1));
  EXPECT_EQ(window.ReserveForGet(5), 5u);
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_EQ(window.ReserveForGet(1), 1u);
  EXPECT_EQ(window.unsettled(), 7u);
  EXPECT_THAT(window.Settled(Outs(kGetKey, 10, 6)), IsEmpty());
  EXPECT_EQ(window.unsettled(), 1u);
  EXPECT_FALSE(window.TryReserve(kFirst, 10));
}

TEST(StreamWindow, GetsStopAtTheServersCap) {
  StreamWindow::Limits limits = Wide();
  limits.max_unsettled = 3;
  StreamWindow window(limits);
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
  EXPECT_EQ(window.ReserveForGet(5), 2u);
  EXPECT_EQ(window.ReserveForGet(1), 0u);
}

TEST(StreamWindow, WhatAGetDidNotUseWakesThoseItKeptOut) {
  StreamWindow::Limits limits = Wide();
  limits.max_unsettled = 2;
  StreamWindow window(limits);
  EXPECT_EQ(window.ReserveForGet(2), 2u);
  EXPECT_FALSE(window.TryReserve(kFirst, 10));
  EXPECT_THAT(window.GiveBackFromGet(2), ElementsAre(kFirst));
  EXPECT_TRUE(window.TryReserve(kFirst, 10));
}

}  // namespace
}  // namespace kelpmq::service
