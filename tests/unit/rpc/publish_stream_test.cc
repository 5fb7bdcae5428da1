// PublishStream: when it reads on.

#include "service/rpc/publish_stream.h"

#include <gmock/gmock.h>

#include "tests/unit/rpc/stream_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::SizeIs;

class CrowdedQueue : public StreamTest {
 protected:
  using Publisher = FakeClient<v1::PublishStreamResponse>;

  // "q" has been filled, and a consumer that takes one message at a time.
  void SetUp() override {
    ASSERT_TRUE(Publish("", "q", std::vector<std::string>(4200)).ok());
    context_.memory = &memory_;
    consumer_ = Consuming("q", /*prefetch_count=*/1);
    publisher_.Start();
  }
  void Send(int items) {
    v1::PublishStreamRequest request;
    request.set_routing_key("q");
    for (int i = 0; i < items; ++i) request.add_items();
    publisher_.Send(request);
    publisher_.Receive();
  }
  void SendOne() { Send(1); }
  // As if consumers had taken so many messages.
  void TakeMany(uint32_t messages) {
    auto got = Get("q", taker_, messages);
    ASSERT_TRUE(got.ok());
    ASSERT_THAT(got->deliveries, SizeIs(messages));
  }

  const Log log_;
  // Has not begun, and is off.
  MemoryAlarm memory_{/*source=*/nullptr, &clock_, &timers_, &log_, [] {}};
  std::unique_ptr<Client> consumer_;
  Publisher publisher_{std::make_shared<PublishStream>(&context_)};
  SinkRef taker_ = NewSink();
};

TEST_F(CrowdedQueue, APublisherWaitsUntilItIsRelieved) {
  v1::PublishStreamRequest request;
  request.set_routing_key("q");
  request.add_items();
  publisher_.Send(request);
  EXPECT_FALSE(publisher_.call().reading());
  EXPECT_THAT(publisher_.Receive(), SizeIs(1)) << "the confirm does not wait";
  EXPECT_FALSE(publisher_.call().reading());
  TakeMany(2500);
  EXPECT_TRUE(publisher_.call().reading());
}

TEST_F(CrowdedQueue, APublisherWaitsForAMomentAndThenNoMore) {
  SendOne();
  Pass(absl::Milliseconds(9));
  EXPECT_FALSE(publisher_.call().reading());
  Pass(absl::Milliseconds(1));
  EXPECT_TRUE(publisher_.call().reading());
  for (int i = 0; i < 3; ++i) {
    SendOne();
    EXPECT_TRUE(publisher_.call().reading()) << "it has waited in vain";
  }
  TakeMany(2500);
  EXPECT_TRUE(publisher_.call().reading());
}

TEST_F(CrowdedQueue, AfterManyMoreItWaitsAgain) {
  SendOne();
  Pass(absl::Milliseconds(10));
  for (int i = 0; i < 6; ++i) {
    Send(10'000);
    EXPECT_TRUE(publisher_.call().reading());
  }
  Send(10'000);
  EXPECT_FALSE(publisher_.call().reading());
  Pass(absl::Milliseconds(10));
  EXPECT_TRUE(publisher_.call().reading());
}

TEST_F(CrowdedQueue, OnceRelievedItMayCrowdAndHoldAnew) {
  SendOne();
  TakeMany(2500);
  ASSERT_TRUE(Publish("", "q", std::vector<std::string>(9000)).ok());
  SendOne();
  EXPECT_FALSE(publisher_.call().reading());
  consumer_->Leave();
  EXPECT_TRUE(publisher_.call().reading()) << "nobody consumes";
}

TEST_F(CrowdedQueue, APublisherThatWaitsMayBeEnded) {
  SendOne();
  streams_.EndAllForDrain();
  publisher_.Receive();
  EXPECT_TRUE(publisher_.finished());
  Pass(absl::Milliseconds(10));
  TakeMany(2500);
}

}  // namespace
}  // namespace kelpmq::service::testing
