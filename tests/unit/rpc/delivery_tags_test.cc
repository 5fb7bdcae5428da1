#include "service/rpc/delivery_tags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class NamedQueue : public QueueHandle {
 public:
  explicit NamedQueue(std::string name) : name_(std::move(name)) {}
  const std::string& name() const override { return name_; }

 private:
  const std::string name_;
};

QueueRef NewQueue(const std::string& name) {
  return std::make_shared<NamedQueue>(name);
}

std::vector<uint64_t> TagsOf(const std::vector<DeliveryTags::Out>& outs) {
  std::vector<uint64_t> tags;
  for (const DeliveryTags::Out& out : outs) tags.push_back(out.tag);
  return tags;
}

using Failure = std::tuple<uint64_t, uint64_t, TagFailureReason>;
std::vector<Failure> FailuresOf(const DeliveryTags::Taken& taken) {
  std::vector<Failure> failures;
  for (const TagFailure& failure : taken.failures) {
    failures.emplace_back(failure.tags.first, failure.tags.last,
                          failure.reason);
  }
  return failures;
}

TagSelection Tags(std::vector<uint64_t> tags) {
  TagSelection selection;
  selection.tags = std::move(tags);
  return selection;
}
TagSelection Ranges(std::vector<TagSpan> ranges) {
  TagSelection selection;
  selection.ranges = std::move(ranges);
  return selection;
}
TagSelection UpTo(uint64_t tag) {
  TagSelection selection;
  selection.up_to = tag;
  return selection;
}
TagSelection All() {
  TagSelection selection;
  selection.all = true;
  return selection;
}

class DeliveryTagsTest : public ::testing::Test {
 protected:
  // Tags 1..count, of deliveries 101, 102, ... of queue_.
  void Issue(int count) {
    for (int i = 0; i < count; ++i) {
      tags_.Issue(queue_, 100 + tags_.highest_issued() + 1, 7, 10);
    }
  }
  std::vector<uint64_t> Take(const TagSelection& selection) {
    return TagsOf(tags_.Take(selection).taken);
  }

  const QueueRef queue_ = NewQueue("q");
  DeliveryTags tags_;
};

TEST_F(DeliveryTagsTest, TAG_03_TagsCountFromOneOverAllQueues) {
  const QueueRef other = NewQueue("other");
  EXPECT_EQ(tags_.Issue(queue_, 5, 0, 1), 1u);
  EXPECT_EQ(tags_.Issue(other, 5, 0, 1), 2u);
  EXPECT_EQ(tags_.Issue(queue_, 6, 0, 1), 3u);
  EXPECT_EQ(tags_.highest_issued(), 3u);
  EXPECT_EQ(tags_.out_count(), 3u);
  EXPECT_THAT(tags_.queues(), UnorderedElementsAre(queue_, other));
}

TEST_F(DeliveryTagsTest, TAG_03_ATagIsNeverUsedAgain) {
  Issue(2);
  Take(All());
  EXPECT_EQ(tags_.Issue(queue_, 9, 0, 1), 3u);
}

TEST_F(DeliveryTagsTest, TAG_01_SettlesTheTagNamedAndNoOther) {
  Issue(3);
  const DeliveryTags::Taken taken = tags_.Take(Tags({2}));
  ASSERT_THAT(taken.taken, SizeIs(1));
  EXPECT_EQ(taken.taken[0].tag, 2u);
  EXPECT_EQ(taken.taken[0].delivery_id, 102u);
  EXPECT_EQ(taken.taken[0].consumer_key, 7u);
  EXPECT_EQ(taken.taken[0].bytes, 10u);
  EXPECT_EQ(tags_.queue(taken.taken[0]), queue_);
  EXPECT_THAT(taken.failures, IsEmpty());
  EXPECT_THAT(Take(All()), ElementsAre(1, 3));
}

TEST_F(DeliveryTagsTest, TAG_01_ASecondSettleIsCountedAndHasNoEffect) {
  Issue(2);
  tags_.Take(Tags({1}));
  const DeliveryTags::Taken again = tags_.Take(Tags({1}));
  EXPECT_THAT(again.taken, IsEmpty());
  EXPECT_EQ(again.already_settled_count, 1u);
  EXPECT_THAT(again.failures, IsEmpty());
}

TEST_F(DeliveryTagsTest, TAG_01_TagsThatAreAllSettledAnswerSo) {
  tags_ = DeliveryTags(/*highest_settled=*/3);
  TagSelection selection = Tags({1, 1, 2});
  selection.ranges = {{2, 3}};
  DeliveryTags::Taken taken = tags_.Take(selection);
  EXPECT_THAT(taken.taken, IsEmpty());
  EXPECT_EQ(taken.already_settled_count, 3u);
  EXPECT_THAT(taken.failures, IsEmpty());
  taken = tags_.Take(Tags({4}));
  ASSERT_THAT(taken.failures, SizeIs(1));
  EXPECT_EQ(taken.failures[0].reason, TagFailureReason::kUnknownTag);
}

TEST_F(DeliveryTagsTest, TAG_01_ATagNeverIssuedIsUnknownAndTheOthersSettle) {
  Issue(2);
  const DeliveryTags::Taken taken = tags_.Take(Tags({2, 3}));
  EXPECT_THAT(TagsOf(taken.taken), ElementsAre(2));
  EXPECT_THAT(FailuresOf(taken),
              ElementsAre(Failure{3, 3, TagFailureReason::kUnknownTag}));
}

TEST_F(DeliveryTagsTest, TAG_01_ATagNamedTwiceIsSettledOnce) {
  Issue(3);
  TagSelection selection = Tags({2, 2});
  selection.ranges = {{1, 2}, {2, 3}};
  selection.all = true;
  const DeliveryTags::Taken taken = tags_.Take(selection);
  EXPECT_THAT(TagsOf(taken.taken), ElementsAre(1, 2, 3));
  EXPECT_EQ(taken.already_settled_count, 0u);
}

TEST_F(DeliveryTagsTest, TagZeroAndReversedRangesAreInvalid) {
  Issue(3);
  TagSelection selection = Ranges({{0, 2}, {3, 2}, {1, 1}});
  selection.tags = {0};
  const DeliveryTags::Taken taken = tags_.Take(selection);
  EXPECT_THAT(TagsOf(taken.taken), ElementsAre(1));
  EXPECT_THAT(FailuresOf(taken),
              UnorderedElementsAre(Failure{0, 0, TagFailureReason::kInvalid},
                                   Failure{0, 2, TagFailureReason::kInvalid},
                                   Failure{3, 2, TagFailureReason::kInvalid}));
}

TEST_F(DeliveryTagsTest, ARangeBeyondTheHighestTagIsUnknownThere) {
  Issue(3);
  const DeliveryTags::Taken taken = tags_.Take(Ranges({{2, UINT64_MAX}}));
  EXPECT_THAT(TagsOf(taken.taken), ElementsAre(2, 3));
  EXPECT_THAT(
      FailuresOf(taken),
      ElementsAre(Failure{4, UINT64_MAX, TagFailureReason::kUnknownTag}));
}

TEST_F(DeliveryTagsTest, ACK_01_UpToTakesAllThatIsOutUpToTheTag) {
  Issue(5);
  Take(Tags({2}));
  EXPECT_THAT(Take(UpTo(4)), ElementsAre(1, 3, 4));
  EXPECT_EQ(tags_.out_count(), 1u);
}

TEST_F(DeliveryTagsTest, ACK_01_UpToWithNothingOutIsOk) {
  Issue(2);
  Take(All());
  const DeliveryTags::Taken taken = tags_.Take(UpTo(2));
  EXPECT_THAT(taken.taken, IsEmpty());
  EXPECT_THAT(taken.failures, IsEmpty());
  EXPECT_EQ(taken.already_settled_count, 0u);
}

TEST_F(DeliveryTagsTest, ACK_02_AllWithNothingOutIsOk) {
  const DeliveryTags::Taken taken = tags_.Take(All());
  EXPECT_THAT(taken.taken, IsEmpty());
  EXPECT_THAT(taken.failures, IsEmpty());
}

TEST_F(DeliveryTagsTest, ACK_02_AllTakesEverythingThatIsOut) {
  Issue(3);
  EXPECT_THAT(Take(All()), ElementsAre(1, 2, 3));
  EXPECT_EQ(tags_.out_count(), 0u);
}

TEST_F(DeliveryTagsTest, TAG_02_UpToAboveTheHighestTagSettlesNothing) {
  Issue(2);
  TagSelection selection = UpTo(3);
  selection.tags = {1};
  const DeliveryTags::Taken taken = tags_.Take(selection);
  EXPECT_THAT(taken.taken, IsEmpty());
  EXPECT_THAT(FailuresOf(taken),
              ElementsAre(Failure{3, 3, TagFailureReason::kUnknownTag}));
  EXPECT_EQ(tags_.out_count(), 2u);
}

TEST_F(DeliveryTagsTest, ACK_03_LostTagsAreNamedAsRanges) {
  Issue(5);
  EXPECT_THAT(TagsOf(tags_.MarkLost(queue_, {102, 103, 105, 999})),
              ElementsAre(2, 3, 5));
  const DeliveryTags::Taken taken = tags_.Take(Ranges({{1, 5}}));
  EXPECT_THAT(TagsOf(taken.taken), ElementsAre(1, 4));
  EXPECT_THAT(FailuresOf(taken),
              ElementsAre(Failure{2, 3, TagFailureReason::kLost},
                          Failure{5, 5, TagFailureReason::kLost}));
}

TEST_F(DeliveryTagsTest, ACK_03_LosingConcernsTheQueueNamed) {
  Issue(1);
  const QueueRef other = NewQueue("q");
  EXPECT_THAT(tags_.MarkLost(other, {101}), IsEmpty());
  tags_.Issue(other, 101, 0, 1);
  EXPECT_THAT(TagsOf(tags_.MarkLost(other, {101})), ElementsAre(2));
  EXPECT_EQ(tags_.out_count(), 1u);
}

TEST_F(DeliveryTagsTest, ATagTakenAndThenLostIsLost) {
  Issue(3);
  Take(Tags({2}));
  tags_.RememberLost(2);
  EXPECT_THAT(FailuresOf(tags_.Take(Tags({2}))),
              ElementsAre(Failure{2, 2, TagFailureReason::kLost}));
  EXPECT_THAT(Take(All()), ElementsAre(1, 3));
}

TEST_F(DeliveryTagsTest, AnEarlyTagOutlastsManyLaterOnes) {
  constexpr int kLater = 20000;
  Issue(1);
  for (int i = 0; i < kLater; ++i) {
    Issue(1);
    ASSERT_THAT(Take(Tags({tags_.highest_issued()})), SizeIs(1));
    if (i == kLater / 2) Issue(1);  // one that stays out in the middle
  }
  const uint64_t middle = kLater / 2 + 3;
  EXPECT_EQ(tags_.out_count(), 2u);
  const DeliveryTags::Taken settled = tags_.Take(Ranges({{2, middle - 1}}));
  EXPECT_THAT(settled.taken, IsEmpty());
  EXPECT_EQ(settled.already_settled_count, middle - 2);
  EXPECT_THAT(TagsOf(tags_.MarkLost(queue_, {100 + middle})),
              ElementsAre(middle));
  EXPECT_THAT(Take(UpTo(tags_.highest_issued())), ElementsAre(1));
}

TEST_F(DeliveryTagsTest, QueuesOfManyAreNotKeptForever) {
  Issue(1);
  std::vector<std::weak_ptr<QueueHandle>> seen;
  size_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    const QueueRef queue = NewQueue("short-lived");
    seen.push_back(queue);
    const uint64_t tag = tags_.Issue(queue, 1, 0, 1);
    ASSERT_THAT(Take(Tags({tag})), ElementsAre(tag));
    tags_.TakeIdleQueues();
    most = std::max(most, tags_.queue_index_end());
  }
  EXPECT_LT(most, 100u);
  const auto alive = std::count_if(seen.begin(), seen.end(),
                                   [](const auto& q) { return !q.expired(); });
  EXPECT_LT(alive, 100);
  // What is out is found all the same.
  EXPECT_THAT(tags_.queues(), ElementsAre(queue_));
  const DeliveryTags::Taken taken = tags_.Take(All());
  ASSERT_THAT(TagsOf(taken.taken), ElementsAre(1));
  EXPECT_EQ(tags_.queue(taken.taken[0]), queue_);
}

// What became of each tag, kept in the plainest way.
class NaiveTags {
 public:
  enum class State { kOut, kSettled, kLost };
  struct Tag {
    State state;
    QueueRef queue;
    uint64_t delivery_id;
  };
  struct Taken {
    std::vector<uint64_t> taken;
    uint64_t already_settled_count = 0;
    std::map<uint64_t, TagFailureReason> failed;
    int invalid = 0;
  };

  void Issue(QueueRef queue, uint64_t delivery_id) {
    tags_[tags_.size() + 1] = {State::kOut, std::move(queue), delivery_id};
  }
  Taken Take(const TagSelection& selection) {
    Taken result;
    if (selection.up_to > tags_.size()) {
      result.failed[selection.up_to] = TagFailureReason::kUnknownTag;
      return result;
    }
    std::set<uint64_t> named;
    for (uint64_t tag : selection.tags) {
      if (tag > 0) named.insert(tag);
    }
    result.invalid = std::count(selection.tags.begin(), selection.tags.end(),
                                uint64_t{0}) > 0;
    for (const TagSpan& range : selection.ranges) {
      if (range.first == 0 || range.first > range.last) {
        ++result.invalid;
        continue;
      }
      for (uint64_t t = range.first; t <= range.last; ++t) named.insert(t);
    }
    for (uint64_t tag : named) {
      auto it = tags_.find(tag);
      if (it == tags_.end()) {
        result.failed[tag] = TagFailureReason::kUnknownTag;
      } else if (it->second.state == State::kLost) {
        result.failed[tag] = TagFailureReason::kLost;
      } else if (it->second.state == State::kSettled) {
        ++result.already_settled_count;
      } else {
        Settle(tag, &result);
      }
    }
    const uint64_t up_to = selection.all ? tags_.size() : selection.up_to;
    for (uint64_t tag = 1; tag <= up_to; ++tag) {
      if (tags_[tag].state == State::kOut) Settle(tag, &result);
    }
    std::sort(result.taken.begin(), result.taken.end());
    return result;
  }
  std::vector<uint64_t> MarkLost(const QueueRef& queue,
                                 const std::vector<uint64_t>& ids) {
    std::vector<uint64_t> lost;
    for (auto& [tag, state] : tags_) {
      if (state.state != State::kOut || state.queue != queue) continue;
      if (std::count(ids.begin(), ids.end(), state.delivery_id) == 0) continue;
      state.state = State::kLost;
      lost.push_back(tag);
    }
    return lost;
  }
  void RememberLost(uint64_t tag) { tags_[tag].state = State::kLost; }
  size_t out_count() const {
    return std::count_if(tags_.begin(), tags_.end(), [](const auto& tag) {
      return tag.second.state == State::kOut;
    });
  }
  uint64_t size() const { return tags_.size(); }
  const Tag& operator[](uint64_t tag) const { return tags_.at(tag); }

 private:
  void Settle(uint64_t tag, Taken* result) {
    tags_[tag].state = State::kSettled;
    result->taken.push_back(tag);
  }
  std::map<uint64_t, Tag> tags_;
};

class DeliveryTagsModelTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  uint64_t Below(uint64_t n) {
    return std::uniform_int_distribution<uint64_t>(0, n - 1)(random_);
  }
  bool Chance(int percent) {
    return Below(100) < static_cast<uint64_t>(percent);
  }
  uint64_t AnyTag() { return Below(naive_.size() + 4); }

  TagSelection AnySelection() {
    TagSelection selection;
    if (Chance(60)) {
      for (uint64_t n = Below(6) + 1; n > 0; --n) {
        selection.tags.push_back(AnyTag());
      }
    }
    if (Chance(40)) {
      for (uint64_t n = Below(3) + 1; n > 0; --n) {
        const uint64_t first = AnyTag();
        selection.ranges.push_back({first, first + Below(12) - Chance(10)});
      }
    }
    if (Chance(5)) selection.up_to = AnyTag();
    if (Chance(1)) selection.all = true;
    return selection;
  }

  void CheckTake(const TagSelection& selection) {
    const DeliveryTags::Taken taken = tags_.Take(selection);
    const NaiveTags::Taken expected = naive_.Take(selection);
    ASSERT_EQ(TagsOf(taken.taken), expected.taken);
    for (const DeliveryTags::Out& out : taken.taken) {
      ASSERT_EQ(tags_.queue(out), naive_[out.tag].queue);
      ASSERT_EQ(out.delivery_id, naive_[out.tag].delivery_id);
    }
    ASSERT_EQ(taken.already_settled_count, expected.already_settled_count);
    std::map<uint64_t, TagFailureReason> failed;
    int invalid = 0;
    for (const TagFailure& failure : taken.failures) {
      if (failure.reason == TagFailureReason::kInvalid) {
        ++invalid;
        continue;
      }
      for (uint64_t t = failure.tags.first; t <= failure.tags.last; ++t) {
        ASSERT_TRUE(failed.emplace(t, failure.reason).second) << t;
      }
    }
    ASSERT_EQ(failed, expected.failed);
    ASSERT_EQ(invalid, expected.invalid);
    if (!taken.taken.empty() && Chance(10)) {
      const uint64_t tag = taken.taken[Below(taken.taken.size())].tag;
      tags_.RememberLost(tag);
      naive_.RememberLost(tag);
    }
  }

  void CheckLose() {
    if (queues_.empty()) return;
    const QueueRef queue = queues_[Below(queues_.size())];
    std::vector<uint64_t> ids;
    for (uint64_t n = Below(20); n > 0; --n) ids.push_back(AnyTag());
    ASSERT_EQ(TagsOf(tags_.MarkLost(queue, ids)), naive_.MarkLost(queue, ids));
  }

  std::mt19937 random_{GetParam()};
  std::vector<QueueRef> queues_;
  DeliveryTags tags_;
  NaiveTags naive_;
};

TEST_P(DeliveryTagsModelTest, AgreesWithANaiveMapOfStates) {
  const int settle_percent = static_cast<int>(20 + 15 * (GetParam() % 4));
  for (int step = 0; step < 3000; ++step) {
    if (queues_.empty() || Chance(5)) queues_.push_back(NewQueue("q"));
    if (queues_.size() > 100) queues_.erase(queues_.begin());
    for (uint64_t n = Below(4); n > 0; --n) {
      const QueueRef& queue = queues_[Below(queues_.size())];
      const uint64_t id = naive_.size() + 1;
      ASSERT_EQ(tags_.Issue(queue, id, 0, 1), id);
      naive_.Issue(queue, id);
    }
    if (Chance(settle_percent)) CheckTake(AnySelection());
    // Most that come go soon.
    if (Chance(settle_percent)) {
      const uint64_t last = naive_.size();
      CheckTake(Ranges({{last > 50 ? last - 50 : 1, last}}));
    }
    if (Chance(5)) CheckLose();
    if (Chance(30)) tags_.TakeIdleQueues();
    if (HasFatalFailure()) return;
    if (step % 50 == 0) {
      ASSERT_EQ(tags_.out_count(), naive_.out_count());
    }
  }
  EXPECT_EQ(tags_.out_count(), naive_.out_count());
}

INSTANTIATE_TEST_SUITE_P(Seeds, DeliveryTagsModelTest,
                         ::testing::Range(1u, 9u));

}  // namespace
}  // namespace kelpmq::service
