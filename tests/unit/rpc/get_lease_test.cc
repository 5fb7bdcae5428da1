#include "service/rpc/get_lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::BodyOf;
using ::kelpmq::service::testing::EngineTest;
using ::kelpmq::service::testing::ReasonOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Leases of gets from the queue "q", on a memory engine.
class GetLeaseTest : public EngineTest {
 protected:
  GetLeaseTest() {
    context_.engine = &engine_;
    context_.sessions = sessions_.get();
    context_.leases = &leases_;
    context_.engine_clock = &clock_;
    context_.engine_timers = &timers_;
    EXPECT_TRUE(Declare("q").ok());
  }

  // A lease that has taken `count` messages.
  std::shared_ptr<GetLease> Take(uint32_t count) {
    auto lease = GetLease::Create(&context_);
    Take(lease, count);
    return lease;
  }
  void Take(const std::shared_ptr<GetLease>& lease, uint32_t count) {
    absl::StatusOr<GetResult> got = Get("q", lease, count);
    ASSERT_TRUE(got.ok());
    lease->Issue(got->queue, got->deliveries);
  }
  std::string OpenSession() {
    Sessions::OpenParams params;
    params.vhost = "/";
    return sessions_->Open(params)->session_id;
  }
  // A lease of a session.
  std::shared_ptr<GetLease> Attached(const std::string& session_id) {
    auto lease = GetLease::Create(&context_);
    auto attached = sessions_->Attach(session_id, lease, SessionUse::kGetLease);
    EXPECT_TRUE(attached.ok());
    lease->set_session(*attached);
    return lease;
  }
  uint64_t Close(const std::string& session_id) {
    uint64_t requeued = UINT64_MAX;
    sessions_->Close(session_id, [&](absl::StatusOr<Sessions::Ended> ended) {
      ASSERT_TRUE(ended.ok());
      requeued = ended->requeued_count;
    });
    executor_.RunAll();
    return requeued;
  }

  SettleOutcome Settle(const std::string& id, SettleAction action,
                       TagSelection selection) {
    auto found = leases_.Find(id);
    EXPECT_EQ(ReasonOf(found), "OK");
    std::optional<SettleOutcome> outcome;
    found->lease->Settle(action, selection, [&](SettleOutcome settled) {
      outcome = std::move(settled);
    });
    executor_.RunAll();
    EXPECT_TRUE(outcome.has_value());
    return outcome.value_or(SettleOutcome());
  }
  SettleOutcome Ack(const std::string& id, std::vector<uint64_t> tags) {
    TagSelection selection;
    selection.tags = std::move(tags);
    return Settle(id, SettleAction::kAck, std::move(selection));
  }

  std::shared_ptr<Sessions> sessions_ =
      Sessions::Create({"node", 100}, &engine_, &clock_, &timers_);
  Leases leases_{&clock_};
  MessagingContext context_;
};

TEST_F(GetLeaseTest, LivesUntilTheLastTagIsSettled) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto lease = Take(2);
  ASSERT_TRUE(lease->Begin(absl::Seconds(300)).ok());
  EXPECT_EQ(Ack(lease->id(), {1}).settled_count, 1u);
  EXPECT_EQ(leases_.live_count(), 1u);
  EXPECT_EQ(Ack(lease->id(), {1, 2}).already_settled_count, 1u);
  EXPECT_EQ(leases_.live_count(), 0u);
  // A retried ack is harmless.
  EXPECT_EQ(leases_.Find(lease->id())->lease, nullptr);
  EXPECT_EQ(FindQueue("q")->messages_unacked, 0u);
}

TEST_F(GetLeaseTest, IsFreedOnceSettled) {
  Publish("", "q", {"1"}).IgnoreError();
  auto lease = Take(1);
  ASSERT_TRUE(lease->Begin(absl::Seconds(300)).ok());
  std::weak_ptr<GetLease> weak = lease;
  const std::string id = lease->id();
  lease.reset();
  EXPECT_FALSE(weak.expired());
  Ack(id, {1});
  EXPECT_TRUE(weak.expired());
}

TEST_F(GetLeaseTest, RequeuesWhenItsTimeIsOver) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto lease = Take(2);
  EXPECT_EQ(*lease->Begin(absl::Seconds(5)), clock_.Now() + absl::Seconds(5));
  Ack(lease->id(), {1});
  Pass(absl::Seconds(5) - absl::Milliseconds(10));
  EXPECT_EQ(FindQueue("q")->messages_ready, 0u);
  Pass(absl::Milliseconds(10));
  EXPECT_EQ(ReasonOf(leases_.Find(lease->id())), "LEASE_EXPIRED");
  auto holder = NewSink();
  auto got = Get("q", holder);
  ASSERT_TRUE(got.ok());
  ASSERT_EQ(got->deliveries.size(), 1u);
  EXPECT_EQ(BodyOf(*got->deliveries[0].message), "2");
  EXPECT_EQ(got->deliveries[0].delivery_count, 1u);
}

TEST_F(GetLeaseTest, ExtendingCountsFromNow) {
  Publish("", "q", {"1"}).IgnoreError();
  auto lease = Take(1);
  ASSERT_TRUE(lease->Begin(absl::Seconds(5)).ok());
  Pass(absl::Seconds(4));
  auto found = leases_.Find(lease->id());
  EXPECT_EQ(*found->lease->Extend(absl::Seconds(3)),
            clock_.Now() + absl::Seconds(3));
  Pass(absl::Seconds(2));
  EXPECT_EQ(FindQueue("q")->messages_unacked, 1u);
  // Also to less than was left.
  ASSERT_TRUE(found->lease->Extend(absl::Seconds(300)).ok());
  ASSERT_TRUE(found->lease->Extend(absl::Seconds(1)).ok());
  Pass(absl::Seconds(1));
  EXPECT_EQ(FindQueue("q")->messages_ready, 1u);
  EXPECT_EQ(ReasonOf(found->lease->Extend(absl::Seconds(1))), "LEASE_EXPIRED");
}

TEST_F(GetLeaseTest, ATimerThatWasAlreadyPostedDoesNotEndAnExtendedLease) {
  Publish("", "q", {"1"}).IgnoreError();
  auto lease = Take(1);
  ASSERT_TRUE(lease->Begin(absl::Seconds(5)).ok());
  auto found = leases_.Find(lease->id());
  clock_.Advance(absl::Seconds(5));
  timers_.RunDue();
  ASSERT_TRUE(found->lease->Extend(absl::Seconds(5)).ok());
  executor_.RunAll();
  EXPECT_EQ(leases_.live_count(), 1u);
}

TEST_F(GetLeaseTest, AckAllSettlesWhatAnAutoAckGetTook) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto lease = Take(2);
  lease->AckAll();
  EXPECT_EQ(FindQueue("q")->messages_unacked, 0u);
  EXPECT_EQ(lease->unacked_count(), 0u);
}

TEST_F(GetLeaseTest, AbandoningRequeuesOnce) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto lease = Take(2);
  std::vector<uint64_t> requeued;
  const auto note = [&](uint64_t count) { requeued.push_back(count); };
  lease->Abandon(note);
  lease->Abandon(note);
  EXPECT_THAT(requeued, ElementsAre(2, 0));
  EXPECT_EQ(FindQueue("q")->messages_ready, 2u);
}

TEST_F(GetLeaseTest, EndsWithItsSession) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  const std::string session = OpenSession();
  auto lease = Attached(session);
  Take(lease, 2);
  ASSERT_TRUE(lease->Begin(absl::Seconds(300)).ok());
  EXPECT_EQ(Close(session), 2u);
  EXPECT_EQ(ReasonOf(leases_.Find(lease->id())), "LEASE_EXPIRED");
  EXPECT_EQ(FindQueue("q")->messages_ready, 2u);
  EXPECT_EQ(ReasonOf(lease->session_end()), "SESSION_ENDED");
}

TEST_F(GetLeaseTest, ASettledLeaseLetsGoOfItsSession) {
  Publish("", "q", {"1"}).IgnoreError();
  const std::string session = OpenSession();
  auto lease = Attached(session);
  Take(lease, 1);
  ASSERT_TRUE(lease->Begin(absl::Seconds(300)).ok());
  Ack(lease->id(), {1});
  EXPECT_EQ(Close(session), 0u);
  EXPECT_EQ(ReasonOf(lease->session_end()), "OK");
}

// The session may end while the engine still looks for messages.
TEST_F(GetLeaseTest, WhatComesAfterTheSessionsEndGoesBack) {
  Publish("", "q", {"1"}).IgnoreError();
  const std::string session = OpenSession();
  auto lease = Attached(session);
  int ended = 0;
  lease->set_on_session_end([&ended] { ++ended; });
  Close(session);
  EXPECT_EQ(ended, 1);
  Take(lease, 1);
  EXPECT_EQ(ReasonOf(lease->Begin(absl::Seconds(300))), "SESSION_ENDED");
  EXPECT_EQ(leases_.live_count(), 0u);
  EXPECT_EQ(FindQueue("q")->messages_ready, 1u);
  EXPECT_EQ(FindQueue("q")->messages_unacked, 0u);
}

TEST_F(GetLeaseTest, ACK_03_TagsOfADeletedQueueStayLostUntilTheLeaseEnds) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto lease = Take(2);
  ASSERT_TRUE(lease->Begin(absl::Seconds(300)).ok());
  ASSERT_TRUE(DeleteQueue("q").ok());
  for (int i = 0; i < 2; ++i) {
    const SettleOutcome outcome = Ack(lease->id(), {1, 2});
    EXPECT_EQ(outcome.settled_count, 0u);
    ASSERT_EQ(outcome.failures.size(), 1u);
    EXPECT_EQ(outcome.failures[0].tags.first, 1u);
    EXPECT_EQ(outcome.failures[0].tags.last, 2u);
    EXPECT_EQ(outcome.failures[0].reason, TagFailureReason::kLost);
  }
}

// An engine that forgets deliveries without saying so, as when the loss of a
// delivery crosses its settle.
class ForgetfulEngine : public MemoryEngine {
 public:
  using MemoryEngine::MemoryEngine;
  void Settle(SettleParams params, Done<SettleResult> done) override {
    SettleResult result;
    for (QueueDeliveries& part : params.deliveries) {
      result.lost.push_back({part.queue, {part.delivery_ids[0]}});
    }
    std::move(done)(std::move(result));
  }
};

TEST_F(GetLeaseTest, ASettleThatComesTooLateIsAFailure) {
  ForgetfulEngine engine(&clock_, &timers_, &executor_);
  context_.engine = &engine;
  Publish("", "q", {"1", "2"}).IgnoreError();
  ASSERT_TRUE(Declare("other").ok());
  Publish("", "other", {"3"}).IgnoreError();
  auto lease = Take(2);
  absl::StatusOr<GetResult> got = Get("other", lease);
  ASSERT_TRUE(got.ok());
  lease->Issue(got->queue, got->deliveries);
  ASSERT_TRUE(lease->Begin(absl::Seconds(300)).ok());
  // The first of each queue is lost: tags 1 and 3.
  const SettleOutcome outcome = Ack(lease->id(), {1, 2, 3});
  EXPECT_EQ(outcome.settled_count, 1u);
  ASSERT_EQ(outcome.failures.size(), 2u);
  EXPECT_EQ(outcome.failures[0].tags.first, 1u);
  EXPECT_EQ(outcome.failures[1].tags.first, 3u);
  // Asked again, the answer is the same.
  const SettleOutcome again = Ack(lease->id(), {1, 2, 3});
  EXPECT_EQ(again.already_settled_count, 1u);
  EXPECT_EQ(again.failures.size(), 2u);
}

TEST_F(GetLeaseTest, NACK_01_RequeuesToTheOldPlace) {
  Publish("", "q", {"1", "2", "3"}).IgnoreError();
  auto lease = Take(2);
  ASSERT_TRUE(lease->Begin(absl::Seconds(300)).ok());
  TagSelection all;
  all.all = true;
  EXPECT_EQ(Settle(lease->id(), SettleAction::kRequeue, all).settled_count, 2u);
  EXPECT_THAT(Drain("q"), ElementsAre("1", "2", "3"));
}

TEST_F(GetLeaseTest, AStreamsLeaseCannotBeExtended) {
  Lease lease(Leases::NewId(), &engine_);
  EXPECT_EQ(ReasonOf(lease.Extend(absl::Seconds(1))), "INVALID_VALUE");
}

}  // namespace
}  // namespace kelpmq::service
