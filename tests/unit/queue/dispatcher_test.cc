#include "service/queue/dispatcher.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace kelpmq::service {
namespace {

class DispatcherTest : public ::testing::Test {
 protected:
  Taker* Add(int64_t priority = 0, uint32_t prefetch_count = 0,
             uint64_t prefetch_bytes = 0) {
    auto taker = std::make_unique<Taker>();
    taker->priority = priority;
    taker->prefetch_count = prefetch_count;
    taker->prefetch_bytes = prefetch_bytes;
    return Add(std::move(taker));
  }
  Taker* Add(std::unique_ptr<Taker> taker) {
    takers_.push_back(std::move(taker));
    dispatcher_.Add(takers_.back().get());
    return takers_.back().get();
  }

  // Gives one message to whose turn it is.
  Taker* Give(size_t bytes = 10) {
    Taker* taker = dispatcher_.Next(bytes);
    EXPECT_EQ(taker, dispatcher_.Next(bytes));
    if (taker != nullptr) dispatcher_.Took(taker, bytes);
    return taker;
  }

  std::vector<std::unique_ptr<Taker>> takers_;
  Dispatcher dispatcher_;
};

TEST_F(DispatcherTest, NobodyThereNobodyTakes) { EXPECT_EQ(Give(), nullptr); }

TEST_F(DispatcherTest, CONS_06_TakersAreServedInTurn) {
  Taker* a = Add();
  Taker* b = Add();
  Taker* c = Add();
  for (Taker* expected : {a, b, c, a, b, c}) EXPECT_EQ(Give(), expected);
}

TEST_F(DispatcherTest, CONS_06_WhoHadNoRoomAtItsTurnGoesToTheBack) {
  Taker* a = Add(0, 1);
  Taker* b = Add();
  Taker* c = Add();
  for (Taker* expected : {a, b, c, b}) EXPECT_EQ(Give(), expected);
  dispatcher_.Settled(a, 10);
  for (Taker* expected : {c, b, a, c}) EXPECT_EQ(Give(), expected);
}

TEST_F(DispatcherTest, CONS_06_RoomWonBackBeforeItsTurnCostsNoPlace) {
  Taker* a = Add(0, 1);
  Taker* b = Add();
  EXPECT_EQ(Give(), a);
  EXPECT_EQ(Give(), b);
  dispatcher_.Settled(a, 10);
  EXPECT_EQ(Give(), a);
}

TEST_F(DispatcherTest, PRIOC_01_HigherPriorityIsServedWhileItHasRoom) {
  Taker* low = Add(-1);
  Taker* high = Add(5, 2);
  EXPECT_EQ(Give(), high);
  EXPECT_EQ(Give(), high);
  EXPECT_EQ(Give(), low);
  dispatcher_.Settled(high, 10);
  EXPECT_EQ(Give(), high);
  EXPECT_EQ(Give(), low);
}

TEST_F(DispatcherTest, QOS_01_PrefetchCountIsTheLimit) {
  Taker* a = Add(0, 2);
  EXPECT_EQ(Give(), a);
  EXPECT_EQ(Give(), a);
  EXPECT_EQ(Give(), nullptr);
  dispatcher_.Settled(a, 10);
  EXPECT_EQ(Give(), a);
  EXPECT_EQ(Give(), nullptr);
}

TEST_F(DispatcherTest, QOS_03_AutoAckIgnoresTheWindow) {
  auto taker = std::make_unique<Taker>();
  taker->ignores_window = true;
  taker->prefetch_count = 1;
  taker->prefetch_bytes = 1;
  Taker* a = Add(std::move(taker));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Give(), a);
}

TEST_F(DispatcherTest, ByteWindowHoldsBack) {
  Taker* a = Add(0, 0, 100);
  EXPECT_EQ(Give(60), a);
  EXPECT_EQ(Give(60), nullptr);
  EXPECT_EQ(Give(40), a);
  EXPECT_EQ(Give(1), nullptr);
  dispatcher_.Settled(a, 60);
  EXPECT_EQ(Give(60), a);
}

TEST_F(DispatcherTest, LargerThanTheWindowGoesOutAlone) {
  Taker* a = Add(0, 0, 100);
  EXPECT_EQ(Give(1000), a);
  EXPECT_EQ(Give(1), nullptr);
  dispatcher_.Settled(a, 1000);
  EXPECT_EQ(Give(1), a);
  EXPECT_EQ(Give(1000), nullptr);
  dispatcher_.Settled(a, 1);
  EXPECT_EQ(Give(1000), a);
}

TEST_F(DispatcherTest, WhomAMessageDoesNotFitTakesTheNextThatDoes) {
  Taker* a = Add(1, 0, 100);
  Taker* b = Add();
  EXPECT_EQ(Give(60), a);
  EXPECT_EQ(Give(60), b);
  EXPECT_EQ(Give(30), a);
}

TEST_F(DispatcherTest, WideningTheByteWindowActsAtOnce) {
  Taker* a = Add(0, 0, 100);
  EXPECT_EQ(Give(60), a);
  EXPECT_EQ(Give(60), nullptr);
  a->prefetch_bytes = 0;
  dispatcher_.Update(a);
  EXPECT_EQ(Give(60), a);
}

TEST_F(DispatcherTest, ManualCreditIsUsedUp) {
  auto taker = std::make_unique<Taker>();
  taker->manual_credit = true;
  Taker* a = Add(std::move(taker));
  EXPECT_EQ(Give(), nullptr);
  a->credit = 2;
  dispatcher_.Update(a);
  EXPECT_EQ(Give(), a);
  EXPECT_EQ(Give(), a);
  EXPECT_EQ(a->credit, 0u);
  EXPECT_EQ(Give(), nullptr);
}

TEST_F(DispatcherTest, PausedAndRefusedTakersArePassedBy) {
  Taker* a = Add();
  Taker* b = Add();
  a->paused = true;
  dispatcher_.Update(a);
  b->refused = true;
  dispatcher_.Update(b);
  EXPECT_EQ(Give(), nullptr);
  a->paused = false;
  dispatcher_.Update(a);
  EXPECT_EQ(Give(), a);
}

TEST_F(DispatcherTest, RemovedTakersAreGoneWhereverTheyStood) {
  Taker* turn = Add();
  Taker* full = Add(0, 1);
  Taker* aside = Add(0, 0, 10);
  EXPECT_EQ(Give(), turn);
  EXPECT_EQ(Give(), full);
  EXPECT_EQ(Give(), aside);
  EXPECT_EQ(Give(), turn);
  EXPECT_EQ(Give(), turn);  // `aside` stood aside
  for (Taker* taker : {turn, full, aside}) dispatcher_.Remove(taker);
  EXPECT_EQ(Give(), nullptr);
}

}  // namespace
}  // namespace kelpmq::service
