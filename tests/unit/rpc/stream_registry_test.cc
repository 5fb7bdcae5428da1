#include "service/rpc/stream_registry.h"

#include <gtest/gtest.h>

#include <string>

#include "service/rpc/draining.h"

namespace kelpmq::service {
namespace {

class FakeStream : public RegisteredStream {
 public:
  explicit FakeStream(std::string vhost = "/") : vhost_(std::move(vhost)) {}
  void Drain(absl::Time deadline) override {
    ++drained;
    drain_deadline = deadline;
  }
  void EndForDrain() override { ++ended; }
  void EndVhost(absl::string_view vhost) override {
    if (vhost == vhost_) ++ended_with_vhost;
  }

  int drained = 0;
  int ended = 0;
  int ended_with_vhost = 0;
  absl::Time drain_deadline;

 private:
  const std::string vhost_;
};

const absl::Time kDeadline = absl::FromUnixSeconds(1000);

TEST(StreamRegistry, TellsEachStreamOnceThatTheServerDrains) {
  StreamRegistry streams;
  auto before = std::make_shared<FakeStream>();
  streams.Add(before);
  streams.DrainAll(kDeadline);
  streams.DrainAll(kDeadline + absl::Seconds(1));
  auto after = std::make_shared<FakeStream>();
  streams.Add(after);
  EXPECT_EQ(before->drained, 1);
  EXPECT_EQ(after->drained, 1);
  EXPECT_EQ(after->drain_deadline, kDeadline);
  EXPECT_EQ(before->ended, 0);
}

TEST(StreamRegistry, EndsAlsoWhatIsAddedTooLate) {
  StreamRegistry streams;
  auto before = std::make_shared<FakeStream>();
  streams.Add(before);
  streams.EndAllForDrain();
  auto after = std::make_shared<FakeStream>();
  streams.Add(after);
  EXPECT_EQ(before->ended, 1);
  EXPECT_EQ(after->ended, 1);
}

TEST(StreamRegistry, EndsTheStreamsOfAVhost) {
  StreamRegistry streams;
  auto one = std::make_shared<FakeStream>("one");
  auto two = std::make_shared<FakeStream>("two");
  streams.Add(one);
  streams.Add(two);
  streams.EndVhost("two");
  EXPECT_EQ(one->ended_with_vhost, 0);
  EXPECT_EQ(two->ended_with_vhost, 1);
}

TEST(StreamRegistry, CountsWhatADrainWaitsFor) {
  StreamRegistry streams;
  auto stream = std::make_shared<FakeStream>();
  auto forgotten = std::make_shared<FakeStream>();
  auto watch = std::make_shared<FakeStream>();
  streams.Add(stream);
  streams.Add(forgotten);
  streams.Add(watch, StreamRegistry::DuringDrain::kDoNotWaitFor);
  EXPECT_EQ(streams.WaitedForCount(), 2u);
  forgotten.reset();
  EXPECT_EQ(streams.WaitedForCount(), 1u);
  streams.Remove(stream.get());
  streams.Remove(stream.get());
  EXPECT_EQ(streams.WaitedForCount(), 0u);
  streams.DrainAll(kDeadline);
  EXPECT_EQ(stream->drained, 0);
  EXPECT_EQ(watch->drained, 1);
}

TEST(Draining, RunsCallbacksOnceAtTheStartOrAtOnceAfterIt) {
  Draining draining;
  int early = 0;
  int late = 0;
  draining.Subscribe([&early](absl::Time) { ++early; });
  EXPECT_FALSE(draining.started());
  EXPECT_EQ(draining.deadline(), absl::InfiniteFuture());
  EXPECT_EQ(early, 0);
  draining.Start(kDeadline);
  draining.Start(kDeadline + absl::Seconds(1));
  draining.Subscribe([&late](absl::Time deadline) {
    EXPECT_EQ(deadline, kDeadline);
    ++late;
  });
  EXPECT_TRUE(draining.started());
  EXPECT_EQ(draining.deadline(), kDeadline);
  EXPECT_EQ(early, 1);
  EXPECT_EQ(late, 1);
}

}  // namespace
}  // namespace kelpmq::service
