// Delayed retries of quorum queues (QUORUM-09), and dead letters that are kept
// until they are delivered (DLX-17).

#include "absl/strings/str_cat.h"
#include "tests/unit/queue/core_fixture.h"

namespace kelpmq::service::testing {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

class Retries : public CoreTest {
 protected:
  void MakeRetrying(const std::string& type, Table more = {}) {
    more.emplace("x-queue-type", "quorum");
    more.emplace("x-delayed-retry-type", type);
    more.emplace("x-delayed-retry-min", int32_t{100});
    Make(std::move(more));
  }
  // Takes the head and gives it back.
  void Return() {
    const GetResult got = Get(MakeSink());
    ASSERT_THAT(got.deliveries, SizeIs(1));
    Requeue({got.deliveries[0].delivery_id});
  }
};

TEST_F(Retries, QUORUM_09_WhatComesBackWaitsLongerEachTime) {
  MakeRetrying("all");
  Publish({"m"});
  for (int count = 1; count <= 3; ++count) {
    Return();
    EXPECT_EQ(core().ready_count(), 0u);
    EXPECT_EQ(core().unacked_count(), 0u);
    EXPECT_EQ(core().message_bytes(), 1u);
    EXPECT_EQ(core().next_wake(), now_ + count * 100 * kMs);
    Pass(count * 100 * kMs - kMs);
    EXPECT_EQ(core().ready_count(), 0u);
    Pass(kMs);
    EXPECT_EQ(core().ready_count(), 1u);
  }
  EXPECT_EQ(Get(MakeSink()).deliveries[0].delivery_count, 3u);
}

TEST_F(Retries, QUORUM_09_NoLongerThanTheMaximum) {
  MakeRetrying("all", {{"x-delayed-retry-max", int32_t{150}}});
  Publish({"m"});
  Return();
  Pass(100 * kMs);
  for (int i = 0; i < 2; ++i) {
    Return();
    EXPECT_EQ(core().next_wake(), now_ + 150 * kMs);
    Pass(150 * kMs);
  }
}

TEST_F(Retries, QUORUM_09_ReturnedMeansWhatItsHolderGaveBack) {
  MakeRetrying("returned");
  Publish({"given back", "lost"});
  auto holder = MakeSink();
  Get(holder, 2);
  Requeue({1});
  Release(holder);
  EXPECT_THAT(GetAll(), ElementsAre("lost"));
  Pass(100 * kMs);
  EXPECT_THAT(GetAll(), ElementsAre("given back"));
}

TEST_F(Retries, QUORUM_09_FailedMeansAnyReturn) {
  MakeRetrying("failed");
  Publish({"given back", "lost"});
  auto holder = MakeSink();
  Get(holder, 2);
  Requeue({1});
  Release(holder);
  EXPECT_THAT(GetAll(), IsEmpty());
  Pass(100 * kMs);
  EXPECT_THAT(GetAll(), ElementsAre("given back", "lost"));
}

TEST_F(Retries, QUORUM_09_DisabledIsTheDefault) {
  for (const char* type : {"", "disabled"}) {
    Table arguments = {{"x-queue-type", "quorum"},
                       {"x-delayed-retry-min", int32_t{100}}};
    if (*type != 0) arguments["x-delayed-retry-type"] = type;
    Make(arguments);
    Publish({"m"});
    Return();
    EXPECT_EQ(core().ready_count(), 1u);
  }
}

TEST_F(Retries, QUORUM_09_OthersOvertakeWhatWaits) {
  MakeRetrying("all");
  Publish({"1", "2"});
  Return();
  auto sink = MakeSink();
  Consume(sink);
  EXPECT_THAT(sink->bodies(), ElementsAre("2"));
  Pass(100 * kMs);
  EXPECT_THAT(sink->bodies(), ElementsAre("2", "1"));
}

TEST_F(Retries, QUORUM_09_TheDeliveryLimitHoldsAtOnce) {
  MakeRetrying("all", {{"x-delivery-limit", int32_t{0}},
                       {"x-dead-letter-exchange", "dlx"}});
  Publish({"m"});
  Return();
  EXPECT_THAT(dead_, ElementsAre(Pair("m", DeathReason::kDeliveryLimit)));
  EXPECT_EQ(core().message_bytes(), 0u);
}

TEST_F(Retries, QUORUM_09_APurgeLeavesWhatWaitsAndADeleteDoesNot) {
  MakeRetrying("all");
  Publish({"m"});
  Return();
  QueueEffects effects;
  EXPECT_EQ(core().Purge(&effects), 0u);
  EXPECT_EQ(core().message_bytes(), 1u);
  ASSERT_TRUE(core().Delete(false, false, &effects).ok());
  EXPECT_EQ(core().message_bytes(), 0u);
  EXPECT_EQ(core().next_wake(), absl::InfiniteFuture());
}

// ---- At least once ----

class Letters : public CoreTest {
 protected:
  void SetUp() override { Make(KeepingArguments()); }
  static Table KeepingArguments() {
    return {{"x-queue-type", "quorum"},
            {"x-dead-letter-exchange", "dlx"},
            {"x-dead-letter-strategy", "at-least-once"},
            {"x-overflow", "reject-publish"},
            {"x-max-length", int32_t{3}}};
  }
  void Discard(size_t messages) {
    std::vector<uint64_t> ids;
    const GetResult got = Get(MakeSink(), static_cast<uint32_t>(messages));
    for (const Delivery& delivery : got.deliveries) {
      ids.push_back(delivery.delivery_id);
    }
    Settle(SettleAction::kDiscard, ids);
  }
  static LetterFate Fate(uint64_t id, bool delivered,
                         std::vector<std::string> reached = {}) {
    LetterFate fate;
    fate.letter_id = id;
    fate.delivered = delivered;
    fate.reached = std::move(reached);
    return fate;
  }
};

TEST_F(Letters, DLX_17_ALetterIsKeptUntilItIsDelivered) {
  Publish({"m"});
  Discard(1);
  ASSERT_THAT(letters_, SizeIs(1));
  EXPECT_EQ(core().message_bytes(), 1u);
  EXPECT_EQ(core().next_wake(), absl::InfiniteFuture()) << "it is on its way";
  TellFates({Fate(letters_[0].letter_id, true)});
  EXPECT_EQ(core().message_bytes(), 0u);
}

TEST_F(Letters, DLX_17_AnUndeliveredOneIsSentAnewAfterATime) {
  Publish({"m"});
  Discard(1);
  const absl::Time death = now_;
  TellFates({Fate(letters_[0].letter_id, false, {"has it"})});
  EXPECT_EQ(core().next_wake(), now_ + KeptLetters::kRetryAfter);
  Pass(KeptLetters::kRetryAfter - kMs);
  EXPECT_THAT(letters_, SizeIs(1));
  Pass(kMs);
  ASSERT_THAT(letters_, SizeIs(2));
  EXPECT_EQ(letters_[1].letter_id, letters_[0].letter_id);
  EXPECT_EQ(letters_[1].time, death);
  EXPECT_THAT(letters_[1].reached, ElementsAre("has it"));
}

TEST_F(Letters, DLX_17_KeptLettersCountForTheLengthLimit) {
  Publish({"1", "2"});
  Discard(2);
  EXPECT_THAT(Publish({"3", "4"}), ElementsAre(1u));
  TellFates({Fate(letters_[0].letter_id, true)});
  EXPECT_THAT(Publish({"5", "6"}), ElementsAre(1u));
}

TEST_F(Letters, DLX_17_AFewAtATimeInOrder) {
  Table arguments = KeepingArguments();
  arguments.erase("x-max-length");
  Make(arguments);
  std::vector<std::string> bodies;
  for (size_t i = 0; i < KeptLetters::kMaxUnderWay + 2; ++i) {
    bodies.push_back(absl::StrCat(i));
  }
  Publish(bodies);
  Discard(bodies.size());
  ASSERT_THAT(letters_, SizeIs(KeptLetters::kMaxUnderWay));
  EXPECT_EQ(BodyOf(*letters_.back().message), "31");
  TellFates(
      {Fate(letters_[5].letter_id, true), Fate(letters_[6].letter_id, false)});
  ASSERT_THAT(letters_, SizeIs(KeptLetters::kMaxUnderWay + 1));
  EXPECT_EQ(BodyOf(*letters_.back().message), "32");
}

TEST_F(Letters, DLX_17_WithoutRejectPublishItIsAtMostOnce) {
  for (const Table& missing :
       {Table{{"x-overflow", "drop-head"}},
        Table{{"x-dead-letter-strategy", "at-most-once"}}}) {
    Table arguments = KeepingArguments();
    for (const auto& [name, value] : missing) arguments[name] = value;
    Make(arguments);
    Publish({"m"});
    Discard(1);
    EXPECT_THAT(letters_, IsEmpty());
    EXPECT_EQ(core().message_bytes(), 0u);
  }
  EXPECT_THAT(dead_, SizeIs(2));
}

TEST_F(Letters, DLX_17_APolicyThatEndsItSendsThemOnceMore) {
  Publish({"failed", "on its way"});
  Discard(2);
  TellFates({Fate(letters_[0].letter_id, false)});
  QueueArguments arguments = core().arguments();
  arguments.overflow = Overflow::kDropHead;
  dead_.clear();
  letters_.clear();
  Apply(arguments);
  EXPECT_THAT(dead_, ElementsAre(Pair("failed", DeathReason::kRejected)));
  EXPECT_THAT(letters_, IsEmpty()) << "nobody waits for its fate";
  EXPECT_EQ(core().message_bytes(), 0u);
}

}  // namespace
}  // namespace kelpmq::service::testing
