#include "service/queue/unacked.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/testing/plain_message.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::PlainMessage;
using ::testing::ElementsAre;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000'000);

UnackedDelivery Out(uint64_t position, HolderIndex holder = 0,
                    absl::Time deadline = absl::InfiniteFuture()) {
  return {{PlainMessage("", "q", "m"), position, Deadline(), 0},
          0,
          Deadline(deadline),
          holder};
}

TEST(Unacked, IdsRiseFromOneAndAreNeverReused) {
  Unacked unacked;
  EXPECT_EQ(unacked.Add(Out(0)), 1u);
  EXPECT_TRUE(unacked.Take(1).has_value());
  EXPECT_EQ(unacked.Add(Out(0)), 2u);
  unacked.TakeAll([](uint64_t, UnackedDelivery) {});
  EXPECT_EQ(unacked.Add(Out(0)), 3u);
}

TEST(Unacked, TakesEachDeliveryOnce) {
  Unacked unacked;
  unacked.Add(Out(10));
  unacked.Add(Out(11));
  EXPECT_EQ(unacked.Take(2)->message.position, 11u);
  EXPECT_FALSE(unacked.Take(2).has_value());
  EXPECT_FALSE(unacked.Take(0).has_value());
  EXPECT_FALSE(unacked.Take(3).has_value());
  EXPECT_EQ(unacked.size(), 1u);
  EXPECT_EQ(unacked.Take(1)->message.position, 10u);
  EXPECT_EQ(unacked.size(), 0u);
}

TEST(Unacked, AnOldDeliveryIsFoundWhenManyNewerOnesHavePassed) {
  Unacked unacked;
  const uint64_t old = unacked.Add(Out(7, /*holder=*/1));
  const uint64_t also_old = unacked.Add(Out(8, /*holder=*/2));
  for (uint64_t i = 0; i < 100'000; ++i) {
    const uint64_t id = unacked.Add(Out(i));
    ASSERT_EQ(unacked.Take(id)->message.position, i);
  }
  EXPECT_EQ(unacked.size(), 2u);
  std::vector<uint64_t> held;
  unacked.TakeHeldBy(1, old, 1,
                     [&](uint64_t id, UnackedDelivery) { held.push_back(id); });
  EXPECT_THAT(held, ElementsAre(old));
  EXPECT_EQ(unacked.Take(also_old)->message.position, 8u);
}

TEST(Unacked, LIMIT_05_DueDeliveriesComeByDeadline) {
  Unacked unacked;
  unacked.Add(Out(0, 0, kStart + absl::Seconds(3)));
  unacked.Add(Out(1, 0, kStart + absl::Seconds(1)));
  unacked.Add(Out(2));
  unacked.Add(Out(3, 0, kStart + absl::Seconds(1)));
  unacked.Add(Out(4, 0, kStart + absl::Seconds(1)));
  unacked.Take(4);
  EXPECT_EQ(unacked.NextDeadline(), kStart + absl::Seconds(1));
  std::vector<uint64_t> due;
  const auto visit = [&due](uint64_t id, UnackedDelivery) {
    due.push_back(id);
  };
  unacked.TakeDue(kStart, visit);
  EXPECT_TRUE(due.empty());
  unacked.TakeDue(kStart + absl::Seconds(1), visit);
  EXPECT_THAT(due, ElementsAre(2, 5));
  EXPECT_EQ(unacked.NextDeadline(), kStart + absl::Seconds(3));
  unacked.TakeDue(kStart + absl::Hours(1), visit);
  EXPECT_THAT(due, ElementsAre(2, 5, 1));
  EXPECT_EQ(unacked.NextDeadline(), absl::InfiniteFuture());
  EXPECT_EQ(unacked.size(), 1u);
}

TEST(Unacked, AgreesWithAMapUnderRandomUse) {
  constexpr uint32_t kHolders = 3;
  std::mt19937 random(20240612);
  Unacked unacked;
  std::map<uint64_t, uint32_t> naive;  // id -> holder
  uint64_t last_id = 0;
  for (int step = 0; step < 200'000; ++step) {
    const uint32_t choice = random() % 100;
    if (choice < 50) {
      const uint32_t holder = random() % kHolders;
      ASSERT_EQ(unacked.Add(Out(step, holder)), ++last_id);
      naive.emplace(last_id, holder);
    } else if (choice < 95) {
      // Mostly the newest, so that old ones stay behind.
      const uint64_t id =
          random() % 20 == 0
              ? random() % (last_id + 2)
              : last_id - std::min<uint64_t>(last_id, random() % 8);
      auto it = naive.find(id);
      const auto taken = unacked.Take(id);
      ASSERT_EQ(taken.has_value(), it != naive.end()) << id;
      if (taken.has_value()) {
        ASSERT_EQ(taken->holder, it->second);
        naive.erase(it);
      }
    } else if (random() % 50 == 0) {
      const uint32_t holder = random() % kHolders;
      std::vector<uint64_t> expected;
      for (const auto& [id, h] : naive) {
        if (h == holder) expected.push_back(id);
      }
      std::vector<uint64_t> taken;
      unacked.TakeHeldBy(
          holder, expected.empty() ? 0 : expected.front(), expected.size(),
          [&](uint64_t id, UnackedDelivery) { taken.push_back(id); });
      ASSERT_EQ(taken, expected);
      for (uint64_t id : expected) naive.erase(id);
    }
    ASSERT_EQ(unacked.size(), naive.size());
  }
  std::vector<uint64_t> left;
  unacked.TakeAll(
      [&left](uint64_t id, UnackedDelivery) { left.push_back(id); });
  std::vector<uint64_t> expected;
  for (const auto& [id, holder] : naive) expected.push_back(id);
  EXPECT_EQ(left, expected);
}

}  // namespace
}  // namespace kelpmq::service
