#include "service/rpc/confirms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "service/base/error.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

Confirms::Entry Entry(uint64_t sequence, uint32_t failures = 0) {
  Confirms::Entry entry;
  entry.sequence = sequence;
  entry.items = 2;
  entry.bytes = 10;
  for (uint32_t i = 0; i < failures; ++i) {
    entry.failures.push_back({i, MakeError(Reason::kNoRoute, "no queue")});
  }
  return entry;
}

std::vector<std::pair<uint64_t, uint64_t>> ConfirmedIn(
    const v1::PublishStreamResponse& response) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const v1::TagRange& range : response.confirmed()) {
    ranges.emplace_back(range.first(), range.last());
  }
  return ranges;
}

class ConfirmsTest : public ::testing::Test {
 protected:
  // Whether there is anything to be said.
  bool Fill() {
    response_.Clear();
    weight_ = {};
    return confirms_.Fill(&response_, &weight_);
  }

  Confirms confirms_;
  v1::PublishStreamResponse response_;
  Confirms::Weight weight_;
};

TEST_F(ConfirmsTest, CONF_01_ConsecutiveSequencesAreOneRange) {
  for (uint64_t sequence : {1, 2, 3, 7, 8, 5}) {
    confirms_.Add(Entry(sequence));
  }
  EXPECT_TRUE(Fill());
  EXPECT_THAT(ConfirmedIn(response_),
              ElementsAre(Pair(1, 3), Pair(7, 8), Pair(5, 5)));
  EXPECT_TRUE(confirms_.empty());
  EXPECT_EQ(weight_.items, 12u);
  EXPECT_EQ(weight_.bytes, 60u);
}

TEST_F(ConfirmsTest, AFailureSaysWhatAStatusWould) {
  confirms_.Add(Entry(3, 1));
  EXPECT_TRUE(Fill());
  ASSERT_THAT(response_.failures(), SizeIs(1));
  const v1::PublishFailure& failure = response_.failures(0);
  EXPECT_EQ(failure.sequence(), 3u);
  EXPECT_EQ(failure.index(), 0u);
  EXPECT_EQ(failure.code(),
            static_cast<int>(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(failure.reason(), "NO_ROUTE");
  EXPECT_EQ(failure.amqp_code(), 312u);
  EXPECT_EQ(failure.message(), "NO_ROUTE - no queue");
  EXPECT_THAT(ConfirmedIn(response_), ElementsAre(Pair(3, 3)));
}

TEST_F(ConfirmsTest, MAND_03_ASequenceNeverComesBeforeItsFailures) {
  confirms_.Add(Entry(1, 600));
  confirms_.Add(Entry(2, 600));
  confirms_.Add(Entry(3));
  EXPECT_TRUE(Fill());
  EXPECT_THAT(response_.failures(), SizeIs(1000));
  EXPECT_THAT(ConfirmedIn(response_), ElementsAre(Pair(1, 1)));
  EXPECT_EQ(weight_.items, 2u);
  EXPECT_FALSE(confirms_.empty());
  EXPECT_TRUE(Fill());
  ASSERT_THAT(response_.failures(), SizeIs(200));
  EXPECT_EQ(response_.failures(0).sequence(), 2u);
  EXPECT_EQ(response_.failures(0).index(), 400u);
  EXPECT_THAT(ConfirmedIn(response_), ElementsAre(Pair(2, 3)));
  EXPECT_EQ(weight_.items, 4u);
  EXPECT_TRUE(confirms_.empty());
}

TEST_F(ConfirmsTest, UnroutedItemsAreCountedSinceTheLastResponse) {
  Confirms::Entry entry = Entry(1);
  entry.unrouted_count = 2;
  confirms_.Add(entry);
  confirms_.Add(Entry(2));
  EXPECT_TRUE(Fill());
  EXPECT_EQ(response_.unrouted_count(), 2u);
  confirms_.Add(Entry(3));
  EXPECT_TRUE(Fill());
  EXPECT_EQ(response_.unrouted_count(), 0u);
}

TEST_F(ConfirmsTest, FailuresOnlySaysNoConfirms) {
  confirms_.set_mode(v1::CONFIRM_MODE_FAILURES);
  confirms_.Add(Entry(1));
  EXPECT_FALSE(Fill());
  EXPECT_EQ(weight_.items, 2u) << "what is not said weighs nothing either";
  EXPECT_TRUE(confirms_.empty());
  confirms_.Add(Entry(2, 1));
  EXPECT_TRUE(Fill());
  EXPECT_THAT(response_.confirmed(), IsEmpty());
  EXPECT_THAT(response_.failures(), SizeIs(1));
}

TEST_F(ConfirmsTest, FailuresOnlyCountsUnroutedItemsUntilItSaysSomething) {
  confirms_.set_mode(v1::CONFIRM_MODE_FAILURES);
  Confirms::Entry entry = Entry(1);
  entry.unrouted_count = 3;
  confirms_.Add(entry);
  EXPECT_FALSE(Fill());
  EXPECT_EQ(response_.unrouted_count(), 0u);
  confirms_.Add(Entry(2, 1));
  EXPECT_TRUE(Fill());
  EXPECT_EQ(response_.unrouted_count(), 3u);
}

TEST_F(ConfirmsTest, NoneSaysNothing) {
  confirms_.set_mode(v1::CONFIRM_MODE_NONE);
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) {
    confirms_.Add(Entry(sequence, 700));
  }
  EXPECT_FALSE(Fill());
  EXPECT_TRUE(confirms_.empty());
  EXPECT_EQ(weight_.items, 10u);
  EXPECT_EQ(response_.ByteSizeLong(), 0u);
}

TEST_F(ConfirmsTest, EverySequenceAndFailureIsSaidOnce) {
  std::mt19937 random(1);
  std::vector<uint64_t> order;
  for (uint64_t sequence = 1; sequence <= 500; ++sequence) {
    order.push_back(sequence);
  }
  std::shuffle(order.begin(), order.end(), random);
  std::map<uint64_t, uint32_t> failures;  // sequence -> how many
  std::map<uint64_t, uint32_t> said;
  std::set<uint64_t> confirmed;
  size_t next = 0;
  while (confirmed.size() < order.size()) {
    for (uint32_t n = random() % 40; n > 0 && next < order.size(); --n) {
      const uint64_t sequence = order[next++];
      failures[sequence] = random() % 4 == 0 ? random() % 300 : 0;
      confirms_.Add(Entry(sequence, failures[sequence]));
    }
    if (confirms_.empty()) continue;
    ASSERT_TRUE(Fill());
    for (const v1::PublishFailure& failure : response_.failures()) {
      ASSERT_EQ(confirmed.count(failure.sequence()), 0u);
      ASSERT_EQ(failure.index(), said[failure.sequence()]++);
    }
    for (const auto& [first, last] : ConfirmedIn(response_)) {
      for (uint64_t sequence = first; sequence <= last; ++sequence) {
        ASSERT_TRUE(confirmed.insert(sequence).second);
        ASSERT_EQ(said[sequence], failures[sequence]);
      }
    }
  }
}

}  // namespace
}  // namespace kelpmq::service
