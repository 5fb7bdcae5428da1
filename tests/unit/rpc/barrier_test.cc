#include "service/rpc/barrier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Barrier, APingWithNothingUnderWayIsAnsweredAtOnce) {
  Barrier barrier;
  EXPECT_THAT(barrier.Ping(7), ElementsAre(7));
  EXPECT_TRUE(barrier.empty());
}

TEST(Barrier, APingWaitsForAllThatBeganBeforeIt) {
  Barrier barrier;
  const Barrier::Ticket first = barrier.Begin();
  const Barrier::Ticket second = barrier.Begin();
  EXPECT_THAT(barrier.Ping(1), IsEmpty());
  EXPECT_THAT(barrier.End(second), IsEmpty());
  EXPECT_THAT(barrier.End(first), ElementsAre(1));
  EXPECT_TRUE(barrier.empty());
}

TEST(Barrier, APingDoesNotWaitForWhatBeganAfterIt) {
  Barrier barrier;
  const Barrier::Ticket before = barrier.Begin();
  EXPECT_THAT(barrier.Ping(1), IsEmpty());
  const Barrier::Ticket after = barrier.Begin();
  EXPECT_THAT(barrier.Ping(2), IsEmpty());
  EXPECT_THAT(barrier.End(before), ElementsAre(1));
  EXPECT_FALSE(barrier.empty());
  EXPECT_THAT(barrier.End(after), ElementsAre(2));
}

TEST(Barrier, SeveralPingsAreAnsweredInOrder) {
  Barrier barrier;
  const Barrier::Ticket ticket = barrier.Begin();
  barrier.Ping(3);
  barrier.Ping(1);
  barrier.Ping(2);
  EXPECT_EQ(barrier.size(), 4u);
  EXPECT_THAT(barrier.End(ticket), ElementsAre(3, 1, 2));
}

TEST(Barrier, AgreesWithANaiveCountOverRandomOrders) {
  std::mt19937 random(1);
  const auto below = [&random](size_t n) { return random() % n; };
  for (int round = 0; round < 200; ++round) {
    Barrier barrier;
    std::vector<Barrier::Ticket> open;
    // Ping -> operations that must end before its answer.
    std::map<uint64_t, std::vector<Barrier::Ticket>> waiting;
    uint64_t last_ping = 0;
    std::vector<uint64_t> answered;
    const auto note = [&](const std::vector<uint64_t>& pings) {
      for (uint64_t ping : pings) {
        EXPECT_THAT(waiting[ping], IsEmpty());
        EXPECT_EQ(ping, answered.size() + 1);
        answered.push_back(ping);
      }
    };
    for (int step = 0; step < 60; ++step) {
      const size_t what = below(5);
      if (what < 2) {
        open.push_back(barrier.Begin());
      } else if (what == 2) {
        waiting[++last_ping] = open;
        note(barrier.Ping(last_ping));
      } else if (!open.empty()) {
        const size_t at = below(open.size());
        const Barrier::Ticket ticket = open[at];
        open.erase(open.begin() + static_cast<ptrdiff_t>(at));
        for (auto& [ping, tickets] : waiting) {
          tickets.erase(std::remove(tickets.begin(), tickets.end(), ticket),
                        tickets.end());
        }
        note(barrier.End(ticket));
      }
      size_t due = 0;
      for (const auto& [ping, tickets] : waiting) due += tickets.empty();
      ASSERT_EQ(answered.size(), due);
      if (waiting.empty()) {
        ASSERT_EQ(barrier.empty(), open.empty());
      }
    }
  }
}

}  // namespace
}  // namespace kelpmq::service
