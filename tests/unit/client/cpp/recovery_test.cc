#include "client/cpp/src/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "kelpmq/error.h"

namespace kelpmq::client {
namespace {

using Kind = ClientEvent::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Status kGone = absl::UnavailableError("gone");

// A world in which the test decides when time passes and how attempts end.
class RecoveryTest : public ::testing::Test {
 protected:
  void PassTime() { std::exchange(timer_, nullptr)(); }
  void EndAttempt(const absl::Status& status) {
    std::exchange(attempt_, nullptr)(status);
  }
  Recovery::Resume Record() {
    return [this](const absl::Status& status) { resumed_.push_back(status); };
  }

  absl::AnyInvocable<void()> timer_;
  absl::AnyInvocable<void(const absl::Status&)> attempt_;
  std::vector<absl::Duration> delays_;
  std::vector<Kind> events_;
  std::vector<absl::Status> resumed_;
  Recovery recovery_{
      [] {
        BackoffOptions options;
        options.initial = absl::Milliseconds(10);
        options.max = absl::Seconds(1);
        options.multiplier = 2;
        options.jitter = 0;
        return options;
      }(),
      {[this](absl::Duration delay, absl::AnyInvocable<void()> task) {
         delays_.push_back(delay);
         timer_ = std::move(task);
       },
       [this](absl::AnyInvocable<void(const absl::Status&)> done) {
         attempt_ = std::move(done);
       },
       [] { return 0.0; },
       [this](const ClientEvent& event) { events_.push_back(event.kind); }}};
};

TEST_F(RecoveryTest, TriesUntilAnAttemptSucceedsEachTimeLater) {
  recovery_.AwaitNewer(recovery_.epoch(), kGone, Record());
  PassTime();
  EndAttempt(kGone);
  PassTime();
  EndAttempt(kGone);
  EXPECT_THAT(resumed_, IsEmpty());
  PassTime();
  EndAttempt(absl::OkStatus());
  EXPECT_THAT(resumed_, ElementsAre(absl::OkStatus()));
  EXPECT_THAT(delays_,
              ElementsAre(absl::Milliseconds(10), absl::Milliseconds(20),
                          absl::Milliseconds(40)));
  EXPECT_THAT(events_, ElementsAre(Kind::kDisconnected, Kind::kAttemptFailed,
                                   Kind::kAttemptFailed, Kind::kReconnected));
}

TEST_F(RecoveryTest, OneRoundServesAllStreamsOfAConnection) {
  const uint64_t epoch = recovery_.epoch();
  recovery_.AwaitNewer(epoch, kGone, Record());
  recovery_.AwaitNewer(epoch, kGone, Record());
  PassTime();
  EndAttempt(absl::OkStatus());
  EXPECT_THAT(resumed_, ElementsAre(absl::OkStatus(), absl::OkStatus()));
  EXPECT_THAT(delays_, ElementsAre(absl::Milliseconds(10)));
}

TEST_F(RecoveryTest, AStreamOfAnEarlierConnectionGoesOnAtOnce) {
  const uint64_t epoch = recovery_.epoch();
  recovery_.AwaitNewer(epoch, kGone, Record());
  PassTime();
  EndAttempt(absl::OkStatus());
  recovery_.AwaitNewer(epoch, kGone, Record());
  EXPECT_THAT(resumed_, ElementsAre(absl::OkStatus(), absl::OkStatus()));
}

TEST_F(RecoveryTest, TheBackOffGrowsOnUntilAStreamHasHadAnAnswer) {
  recovery_.AwaitNewer(recovery_.epoch(), kGone, Record());
  PassTime();
  EndAttempt(absl::OkStatus());
  recovery_.AwaitNewer(recovery_.epoch(), kGone, Record());
  PassTime();
  EndAttempt(absl::OkStatus());
  recovery_.Progress();
  recovery_.AwaitNewer(recovery_.epoch(), kGone, Record());
  EXPECT_THAT(delays_,
              ElementsAre(absl::Milliseconds(10), absl::Milliseconds(20),
                          absl::Milliseconds(10)));
}

TEST_F(RecoveryTest, ClosingEndsAllWaitingNowAndLater) {
  recovery_.AwaitNewer(recovery_.epoch(), kGone, Record());
  recovery_.Close();
  recovery_.AwaitNewer(recovery_.epoch(), kGone, Record());
  ASSERT_EQ(resumed_.size(), 2u);
  EXPECT_EQ(ReasonOf(resumed_[0]), kClosed);
  EXPECT_EQ(ReasonOf(resumed_[1]), kClosed);
  PassTime();  // an attempt that was due is not made
  EXPECT_FALSE(attempt_);
}

}  // namespace
}  // namespace kelpmq::client
