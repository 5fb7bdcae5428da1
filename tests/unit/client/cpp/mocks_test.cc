// A program's own test, as its author would write it: no broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kelpmq/mocks/mock_client.h"
#include "kelpmq/mocks/mock_topology.h"

namespace kelpmq {
namespace {

using mocks::MakeDelivery;
using mocks::MockClient;
using mocks::MockConsumer;
using mocks::MockPublisher;
using mocks::MockSettler;
using mocks::MockTopology;
using ::testing::_;
using ::testing::InSequence;
using ::testing::Return;
using ::testing::ReturnRef;

// The code under test: answers what it gets.
absl::StatusOr<std::unique_ptr<Consumer>> Serve(Client* client,
                                                Publisher* replies) {
  const auto queue = client->topology().DeclareQueue("questions");
  if (!queue.ok()) return queue.status();
  return client->Consume("questions", [replies](Delivery question) {
    const absl::Status published =
        replies->Publish(Publication(question.message().reply_to(), "42"),
                         [](const absl::Status&) {});
    if (!published.ok()) return;  // dropped: it comes again
    std::move(question).Ack().IgnoreError();
  });
}

class MocksTest : public ::testing::Test {
 protected:
  MocksTest() {
    ON_CALL(client_, topology).WillByDefault(ReturnRef(topology_));
    EXPECT_CALL(client_, topology).Times(::testing::AnyNumber());
    EXPECT_CALL(topology_, DeclareQueue(_)).WillOnce(Return(v1::Queue()));
    EXPECT_CALL(client_, Consume(_, _))
        .WillOnce([this](ConsumerOptions options, DeliveryHandler handler) {
          EXPECT_EQ(options.queue, "questions");
          handler_ = std::move(handler);
          return std::make_unique<MockConsumer>();
        });
    EXPECT_TRUE(Serve(&client_, &publisher_).ok());
  }

  MockClient client_;
  MockTopology topology_;
  MockPublisher publisher_;
  std::shared_ptr<MockSettler> settler_ = std::make_shared<MockSettler>();
  DeliveryHandler handler_;
};

TEST_F(MocksTest, AHandlerIsTestedWithADeliveryAndASettler) {
  InSequence in_order;
  EXPECT_CALL(publisher_, Publish(_, _)).WillOnce(Return(absl::OkStatus()));
  EXPECT_CALL(*settler_, Settle(7, v1::SETTLE_ACTION_ACK));
  handler_(MakeDelivery("what?", settler_, 7));
}

TEST_F(MocksTest, ADeliveryThatIsDroppedIsAbandoned) {
  EXPECT_CALL(publisher_, Publish(_, _))
      .WillOnce(Return(absl::UnavailableError("gone")));
  EXPECT_CALL(*settler_, Abandon(7));
  handler_(MakeDelivery("what?", settler_, 7));
}

TEST(Delivery, ADeliveryThatWasMovedFromIsSettledByNobody) {
  auto settler = std::make_shared<MockSettler>();
  EXPECT_CALL(*settler, Settle(1, v1::SETTLE_ACTION_DISCARD));
  Delivery first = MakeDelivery("m", settler);
  Delivery second = std::move(first);
  EXPECT_TRUE(std::move(second).Nack(Requeue::kNo).ok());
}

TEST(Delivery, AssigningToADeliveryAbandonsWhatItWas) {
  auto settler = std::make_shared<MockSettler>();
  EXPECT_CALL(*settler, Abandon(1));
  EXPECT_CALL(*settler, Abandon(2));
  Delivery delivery = MakeDelivery("m", settler, 1);
  delivery = MakeDelivery("n", settler, 2);
}

TEST(Publish, TheFutureHasTheErrorOfAPublishThatWasRefused) {
  MockPublisher publisher;
  EXPECT_CALL(publisher, Publish(_, _))
      .WillOnce(Return(absl::CancelledError("closed")));
  EXPECT_TRUE(absl::IsCancelled(publisher.Publish({"q", "m"}).get()));
}

}  // namespace
}  // namespace kelpmq
