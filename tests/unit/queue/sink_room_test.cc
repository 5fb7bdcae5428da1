#include "service/queue/sink_room.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

#include "tests/testing/recording_sink.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;

// Has room for `room` deliveries, and `bytes` of them together.
struct CountingSink : RecordingSink {
  uint32_t Reserve(uint32_t, size_t each, uint32_t wanted) override {
    asked.push_back(wanted);
    uint32_t given = 0;
    for (; given < wanted && room > 0 && bytes >= each; ++given) {
      --room;
      bytes -= each;
    }
    return given;
  }
  void GiveBack(uint32_t, uint32_t count, size_t total) override {
    room += count;
    bytes += total;
  }

  size_t room = 1000;
  size_t bytes = 1'000'000;
  std::vector<uint32_t> asked;
};

class SinkRoomTest : public ::testing::Test {
 protected:
  SinkRoom room_;
  std::array<CountingSink, 10> sinks_;
};

TEST_F(SinkRoomTest, AsksOnceForWhatMayFollow) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(room_.TryReserve(sinks_[0], 1, 10, 4 - i));
  }
  EXPECT_THAT(sinks_[0].asked, ElementsAre(5));
  EXPECT_EQ(sinks_[0].room, 995u);
}

TEST_F(SinkRoomTest, KeepsRoomForSeveralSinksThatTakeTurns) {
  for (int turn = 0; turn < 3; ++turn) {
    for (int i = 0; i < 8; ++i) {
      EXPECT_TRUE(room_.TryReserve(sinks_[i], 1, 10, 2));
    }
  }
  for (int i = 0; i < 8; ++i) EXPECT_THAT(sinks_[i].asked, ElementsAre(3));
}

TEST_F(SinkRoomTest, AsksTheNinthSinkEachTime) {
  for (int turn = 0; turn < 3; ++turn) {
    for (int i = 0; i < 9; ++i) {
      EXPECT_TRUE(room_.TryReserve(sinks_[i], 1, 10, 2));
    }
  }
  EXPECT_THAT(sinks_[8].asked, ElementsAre(1, 1, 1));
  EXPECT_EQ(sinks_[8].room, 997u);
}

TEST_F(SinkRoomTest, GivesBackWhatWasNotUsed) {
  for (CountingSink& sink : sinks_) {
    EXPECT_TRUE(room_.TryReserve(sink, 1, 10, 20));
  }
  room_.GiveBack();
  for (CountingSink& sink : sinks_) {
    EXPECT_EQ(sink.room, 999u);
    EXPECT_EQ(sink.bytes, 999'990u);
  }
}

TEST_F(SinkRoomTest, AnotherConsumerOfASinkFindsTheRoomThatTheFirstHasLeft) {
  sinks_[0].room = 2;
  EXPECT_TRUE(room_.TryReserve(sinks_[0], 1, 10, 20));
  EXPECT_TRUE(room_.TryReserve(sinks_[0], 2, 10, 20));
  EXPECT_FALSE(room_.TryReserve(sinks_[0], 1, 10, 20));
}

TEST_F(SinkRoomTest, ALargerMessageAsksAnew) {
  EXPECT_TRUE(room_.TryReserve(sinks_[0], 1, 10, 2));
  EXPECT_TRUE(room_.TryReserve(sinks_[0], 1, 50, 1));
  EXPECT_THAT(sinks_[0].asked, ElementsAre(3, 2));
  room_.GiveBack();
  EXPECT_EQ(sinks_[0].room, 998u);
  EXPECT_EQ(sinks_[0].bytes, 1'000'000u - 60);
}

// Against a room that asks for one delivery at a time.
TEST_F(SinkRoomTest, RefusesExactlyWhereOneAtATimeWould) {
  std::mt19937 random(7);
  const auto below = [&random](size_t n) { return random() % n; };
  for (int round = 0; round < 2000; ++round) {
    std::array<CountingSink, 10> naive;
    for (size_t i = 0; i < naive.size(); ++i) {
      naive[i].room = sinks_[i].room = below(12);
      naive[i].bytes = sinks_[i].bytes = below(400);
    }
    for (int step = 0; step < 60; ++step) {
      const size_t i = below(naive.size());
      const auto key = static_cast<uint32_t>(below(3));
      const size_t bytes = 1 + below(60);
      ASSERT_EQ(room_.TryReserve(sinks_[i], key, bytes, below(8)),
                naive[i].Reserve(key, bytes, 1) == 1)
          << "round " << round << ", step " << step;
    }
    room_.GiveBack();
    for (size_t i = 0; i < naive.size(); ++i) {
      ASSERT_EQ(sinks_[i].room, naive[i].room);
      ASSERT_EQ(sinks_[i].bytes, naive[i].bytes);
    }
  }
}

}  // namespace
}  // namespace kelpmq::service::testing
