#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/cpp/client_fixture.h"

namespace kelpmq::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Pair;

class ClientTopology : public ClientTest {
 protected:
  std::unique_ptr<Client> client_ = Connect();
  Topology& topology_ = client_->topology();
};

TEST_F(ClientTopology, DeclaresAndBindsAndTellsWhatThereIs) {
  ExchangeSpec exchange;
  exchange.name = "orders";
  exchange.type = "topic";
  ASSERT_TRUE(topology_.DeclareExchange(exchange).ok());
  QueueSpec queue;
  queue.name = "paid";
  queue.options.set_max_length(7);
  queue.arguments = MakeTable({{"x-message-ttl", ToValue(60000)}});
  ASSERT_TRUE(topology_.DeclareQueue(queue).ok());
  BindingSpec binding;
  binding.source = "orders";
  binding.destination = "paid";
  binding.routing_key = "*.paid";
  ASSERT_TRUE(topology_.BindQueue(binding).ok());

  const auto found = topology_.GetQueue("paid");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->options().max_length(), 7u);
  EXPECT_EQ(found->options().message_ttl_ms(), 60000u);
  EXPECT_EQ(topology_.GetExchange("orders")->type(), "topic");
  Topology::BindingFilter from_orders;
  from_orders.source = "orders";
  const auto bindings = topology_.ListBindings(from_orders);
  ASSERT_TRUE(bindings.ok());
  ASSERT_EQ(bindings->size(), 1u);
  EXPECT_EQ(bindings->front().routing_key(), "*.paid");

  EXPECT_TRUE(topology_.UnbindQueue(binding).ok());
  EXPECT_TRUE(topology_.ListBindings(from_orders)->empty());
}

TEST_F(ClientTopology, ExchangesAreBoundToExchanges) {
  for (const char* name : {"outer", "inner"}) {
    ExchangeSpec exchange;
    exchange.name = name;
    exchange.type = "fanout";
    ASSERT_TRUE(topology_.DeclareExchange(exchange).ok());
  }
  BindingSpec binding;
  binding.source = "outer";
  binding.destination = "inner";
  EXPECT_TRUE(topology_.BindExchange(binding).ok());
  EXPECT_TRUE(topology_.UnbindExchange(binding).ok());
  EXPECT_TRUE(topology_.DeleteExchange("outer").ok());
  EXPECT_TRUE(topology_.DeleteExchange("outer").ok());  // as often as you like
}

TEST_F(ClientTopology, ListsGoOnOverPages) {
  // More than the largest page.
  for (int i = 0; i < 1005; ++i) {
    ASSERT_TRUE(topology_.DeclareQueue("many-" + std::to_string(i)).ok());
  }
  const auto queues = topology_.ListQueues("many-");
  ASSERT_TRUE(queues.ok());
  EXPECT_EQ(queues->size(), 1005u);
}

TEST_F(ClientTopology, ErrorsCarryReasonCodeAndResource) {
  const absl::Status missing = topology_.GetQueue("nowhere").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(missing), "QUEUE_NOT_FOUND");
  EXPECT_EQ(AmqpCodeOf(missing), 404);
  EXPECT_THAT(MetadataOf(missing), Contains(Pair("queue", "nowhere")));

  ASSERT_TRUE(topology_.DeclareQueue("q").ok());
  QueueSpec durable;
  durable.name = "q";
  durable.durable = true;
  const absl::Status unequal = topology_.DeclareQueue(durable).status();
  EXPECT_EQ(unequal.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(unequal), "INEQUIVALENT_ARGUMENT");
  EXPECT_EQ(AmqpCodeOf(unequal), 406);
}

TEST_F(ClientTopology, AnExclusiveQueueIsForThisClientAlone) {
  QueueSpec exclusive;
  exclusive.exclusive = true;
  const auto queue = topology_.DeclareQueue(exclusive);
  ASSERT_TRUE(queue.ok()) << queue.status();
  const auto other = Connect();
  EXPECT_EQ(ReasonOf(other->Consume(queue->name(), [](Delivery) {}).status()),
            "RESOURCE_LOCKED");
  const auto mine = client_->Consume(queue->name(), [](Delivery) {});
  EXPECT_TRUE(mine.ok()) << mine.status();
}

TEST_F(ClientTopology, PurgeAndDeleteCountMessages) {
  ASSERT_TRUE(topology_.DeclareQueue("q").ok());
  const auto publisher = client_->NewPublisher();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(publisher->Publish({"q", "m"}).get().ok());
  }
  EXPECT_EQ(*topology_.PurgeQueue("q"), 3u);
  ASSERT_TRUE(publisher->Publish({"q", "m"}).get().ok());
  EXPECT_EQ(ReasonOf(topology_
                         .DeleteQueue("q", Topology::IfUnused::kNo,
                                      Topology::IfEmpty::kYes)
                         .status()),
            "QUEUE_NOT_EMPTY");
  EXPECT_EQ(*topology_.DeleteQueue("q"), 1u);
}

TEST_F(ClientTopology, TellsConsumersAndServer) {
  ASSERT_TRUE(topology_.DeclareQueue("q").ok());
  ConsumerOptions options("q");
  options.consumer_tag = "mine";
  const auto consumer = client_->Consume(options, [](Delivery) {});
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  const auto consumers = topology_.ListConsumers("q");
  ASSERT_TRUE(consumers.ok());
  ASSERT_EQ(consumers->size(), 1u);
  EXPECT_EQ(consumers->front().consumer_tag(), "mine");
  EXPECT_FALSE(client_->ServerInfo()->version().empty());
}

TEST(ClientConnect, FailsWhereNoBrokerIs) {
  ClientOptions options;
  options.address = "unix:/nonexistent/kelpmq.sock";
  const auto client = Client::Connect(options);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kUnavailable);
}

TEST(ClientConnect, OptionsThatMakeNoSenseAreRefused) {
  ClientOptions options;
  options.tls.emplace();
  options.tls->ca_file = "/nonexistent/ca.pem";
  EXPECT_EQ(Client::Connect(options).status().code(),
            absl::StatusCode::kInvalidArgument);
  options = {};
  options.backoff.multiplier = 0.5;
  EXPECT_EQ(Client::Connect(options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kelpmq::testing
