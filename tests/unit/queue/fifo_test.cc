#include "service/queue/fifo.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace kelpmq::service {
namespace {

TEST(Fifo, WhatCameFirstGoesFirst) {
  Fifo<int> fifo;
  EXPECT_TRUE(fifo.empty());
  for (int i = 0; i < 1000; ++i) fifo.push_back(i);
  EXPECT_EQ(fifo.size(), 1000u);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(fifo.front(), i);
    ASSERT_EQ(fifo.pop_front(), i);
  }
  EXPECT_TRUE(fifo.empty());
}

TEST(Fifo, ItemsLiveUntilTheyLeave) {
  const auto item = std::make_shared<int>(1);
  {
    Fifo<std::shared_ptr<int>> fifo;
    for (int i = 0; i < 200; ++i) fifo.push_back(item);
    EXPECT_EQ(item.use_count(), 201);
    fifo.pop_front();
    EXPECT_EQ(item.use_count(), 200);
    fifo.clear();
    EXPECT_EQ(item.use_count(), 1);
    fifo.push_back(item);
  }
  EXPECT_EQ(item.use_count(), 1);
}

TEST(Fifo, AgreesWithADequeUnderRandomUse) {
  std::mt19937 random(7);
  Fifo<uint32_t> fifo;
  std::deque<uint32_t> naive;
  for (int step = 0; step < 100'000; ++step) {
    // Drifts up for a while, then down, so that chunks come and go.
    const bool grow = (step / 1000) % 2 == 0;
    if (random() % 3 < (grow ? 2u : 1u)) {
      fifo.push_back(step);
      naive.push_back(step);
    } else if (!naive.empty()) {
      ASSERT_EQ(fifo.pop_front(), naive.front());
      naive.pop_front();
    }
    ASSERT_EQ(fifo.size(), naive.size());
    if (!naive.empty()) {
      ASSERT_EQ(fifo.front(), naive.front());
    }
  }
}

}  // namespace
}  // namespace kelpmq::service
