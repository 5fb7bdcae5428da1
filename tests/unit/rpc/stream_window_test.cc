#include "service/rpc/stream_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kSecond, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 0u);
  EXPECT_EQ(window.unsettled(), 2u);
}

TEST(StreamWindow, CONS_06_ThoseThatWereRefusedKeepTheirTurns) {
  StreamWindow window(Prefetch(1));
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  for (const ConsumerKey key : {kSecond, kFirst, kSecond}) {
    EXPECT_EQ(window.Reserve(key, 10, 1), 0u);
  }
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kSecond, kFirst));
}

TEST(StreamWindow, QOS_04_ASettleWakesThoseThatWereRefused) {
  StreamWindow window(Prefetch(1));
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 0u);
  EXPECT_EQ(window.Reserve(kSecond, 10, 1), 0u);
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kFirst, kSecond));
  // Once told, they ask anew.
  EXPECT_EQ(window.Reserve(kSecond, 10, 1), 1u);
  EXPECT_THAT(window.Settled(Outs(kSecond, 10)), IsEmpty());
}

TEST(StreamWindow, QOS_03_AutoAckConsumersAreNotLimited) {
  StreamWindow window(Prefetch(2));
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(window.Reserve(kAutoAck, 10, 1), 1u);
  EXPECT_EQ(window.unsettled(), 1u);
  EXPECT_THAT(window.Settled(Outs(kAutoAck, 10, 3)), IsEmpty());
  EXPECT_EQ(window.unsettled(), 1u);
}

TEST(StreamWindow, QOS_04_AUsedUpPrefetchHoldsBackAutoAckConsumersToo) {
  StreamWindow window(Prefetch(1));
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kAutoAck, 10, 1), 0u);
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kAutoAck));
  EXPECT_EQ(window.Reserve(kAutoAck, 10, 1), 1u);
}

TEST(StreamWindow, AUsedUpByteWindowHoldsBackAutoAckConsumersToo) {
  StreamWindow::Limits limits = Wide();
  limits.prefetch_bytes = 100;
  StreamWindow window(limits);
  EXPECT_EQ(window.Reserve(kFirst, 90, 1), 1u);
  EXPECT_EQ(window.Reserve(kAutoAck, 1000, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kAutoAck, 1, 1), 0u);
  EXPECT_THAT(window.SetPrefetchBytes(200), ElementsAre(kAutoAck));
}

TEST(StreamWindow, TheServersCapDoesNotHoldBackAutoAckConsumers) {
  StreamWindow::Limits limits = Prefetch(0);
  limits.max_unsettled = 1;
  StreamWindow window(limits);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kAutoAck, 10, 1), 1u);
}

TEST(StreamWindow, QOS_05_RaisingWakesAndLoweringHoldsUntilBelow) {
  StreamWindow window(Prefetch(1));
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 0u);
  EXPECT_THAT(window.SetPrefetchCount(3), ElementsAre(kFirst));
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_THAT(window.SetPrefetchCount(1), IsEmpty());
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 0u);
  EXPECT_THAT(window.Settled(Outs(kFirst, 10, 2)), IsEmpty());
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kFirst));
}

TEST(StreamWindow, QOS_07_ZeroIsNoLimitButTheServersCap) {
  StreamWindow::Limits limits = Prefetch(0);
  limits.max_unsettled = 3;
  StreamWindow window(limits);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 0u);
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kFirst));
}

TEST(StreamWindow, AMessageLargerThanTheByteWindowGoesAlone) {
  StreamWindow::Limits limits = Wide();
  limits.prefetch_bytes = 100;
  StreamWindow window(limits);
  EXPECT_EQ(window.Reserve(kFirst, 1000, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 1, 1), 0u);
  EXPECT_THAT(window.Settled(Outs(kFirst, 1000)), ElementsAre(kFirst));
  EXPECT_EQ(window.Reserve(kFirst, 60, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 60, 1), 0u);
  EXPECT_EQ(window.Reserve(kFirst, 40, 1), 1u);
}

TEST(StreamWindow, ALargerByteWindowWakes) {
  StreamWindow::Limits limits = Wide();
  limits.prefetch_bytes = 100;
  StreamWindow window(limits);
  EXPECT_EQ(window.Reserve(kFirst, 100, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 50, 1), 0u);
  EXPECT_THAT(window.SetPrefetchBytes(200), ElementsAre(kFirst));
  EXPECT_EQ(window.Reserve(kFirst, 50, 1), 1u);
}

TEST(StreamWindow, WhatWaitsToBeWrittenIsLimitedForAutoAckToo) {
  StreamWindow::Limits limits;
  limits.max_outbox_messages = 2;
  limits.max_outbox_bytes = 100;
  StreamWindow window(limits);
  EXPECT_EQ(window.Reserve(kAutoAck, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kAutoAck, 10, 1), 0u);
  EXPECT_THAT(window.Written(2, 20), ElementsAre(kAutoAck));
  // By bytes; one larger than all goes alone.
  EXPECT_EQ(window.Reserve(kAutoAck, 500, 1), 1u);
  EXPECT_EQ(window.Reserve(kAutoAck, 1, 1), 0u);
  EXPECT_THAT(window.Written(1, 500), ElementsAre(kAutoAck));
}

TEST(StreamWindow, WritingWakesOnlyThoseWhoHaveRoomOtherwise) {
  StreamWindow::Limits limits = Wide();
  limits.max_unsettled = 1;
  limits.max_outbox_messages = 1;
  StreamWindow window(limits);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 0u);
  EXPECT_EQ(window.Reserve(kAutoAck, 10, 1), 0u);
  EXPECT_THAT(window.Written(1, 10), ElementsAre(kAutoAck));
  EXPECT_THAT(window.Settled(Outs(kFirst, 10)), ElementsAre(kFirst));
}

TEST(StreamWindow, RoomForSeveralIsTakenAtOnce) {
  StreamWindow window(Prefetch(5));
  EXPECT_EQ(window.Reserve(kFirst, 10, 3), 3u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 9), 2u) << "no more than the prefetch";
  EXPECT_EQ(window.Reserve(kSecond, 10, 1), 0u);
  EXPECT_THAT(window.GiveBack(kFirst, 1, 10), ElementsAre(kSecond));
  EXPECT_EQ(window.Reserve(kSecond, 10, 9), 1u);
  EXPECT_EQ(window.unsettled(), 5u);
}

TEST(StreamWindow, RoomForSeveralIsLimitedByBytes) {
  StreamWindow::Limits limits = Wide();
  limits.max_outbox_bytes = 100;
  limits.prefetch_bytes = 75;
  StreamWindow window(limits);
  EXPECT_EQ(window.Reserve(kAutoAck, 30, 9), 3u) << "the outbox's 100";
  EXPECT_THAT(window.GiveBack(kAutoAck, 3, 90), IsEmpty());
  EXPECT_EQ(window.Reserve(kFirst, 30, 9), 2u) << "the prefetch's 75";
  EXPECT_THAT(window.GiveBack(kFirst, 2, 60), IsEmpty());
  EXPECT_EQ(window.Reserve(kFirst, 500, 9), 1u) << "larger than all: alone";
}

TEST(StreamWindow, TheServersCapLimitsRoomForSeveral) {
  StreamWindow::Limits limits = Wide();
  limits.max_unsettled = 3;
  StreamWindow window(limits);
  EXPECT_EQ(window.Reserve(kFirst, 10, 9), 3u);
  limits = Wide();
  limits.max_outbox_messages = 2;
  StreamWindow narrow(limits);
  EXPECT_EQ(narrow.Reserve(kAutoAck, 10, 9), 2u);
}

TEST(StreamWindow, PausingHoldsAllAndGoingOnWakes) {
  StreamWindow window(Wide());
  EXPECT_THAT(window.SetPaused(true), IsEmpty());
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 0u);
  EXPECT_EQ(window.Reserve(kAutoAck, 10, 1), 0u);
  EXPECT_THAT(window.SetPaused(false), ElementsAre(kFirst, kAutoAck));
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
}

TEST(StreamWindow, GET_05_GetsIgnoreAndDoNotUseThePrefetch) {
  StreamWindow window(Prefetch(1));
  EXPECT_EQ(window.ReserveForGet(5), 5u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.ReserveForGet(1), 1u);
  EXPECT_EQ(window.unsettled(), 7u);
  EXPECT_THAT(window.Settled(Outs(kGetKey, 10, 6)), IsEmpty());
  EXPECT_EQ(window.unsettled(), 1u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 0u);
}

TEST(StreamWindow, GetsStopAtTheServersCap) {
  StreamWindow::Limits limits = Wide();
  limits.max_unsettled = 3;
  StreamWindow window(limits);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
  EXPECT_EQ(window.ReserveForGet(5), 2u);
  EXPECT_EQ(window.ReserveForGet(1), 0u);
}

TEST(StreamWindow, WhatAGetDidNotUseWakesThoseItKeptOut) {
  StreamWindow::Limits limits = Wide();
  limits.max_unsettled = 2;
  StreamWindow window(limits);
  EXPECT_EQ(window.ReserveForGet(2), 2u);
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 0u);
  EXPECT_THAT(window.GiveBackFromGet(2), ElementsAre(kFirst));
  EXPECT_EQ(window.Reserve(kFirst, 10, 1), 1u);
}

}  // namespace
}  // namespace kelpmq::service
