#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/e2e/cpp/client_fixture.h"

namespace kelpmq::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ClientConsume : public ClientTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(client_->topology().DeclareQueue("q").ok());
  }
  void Publish(const std::string& body) {
    const absl::Status status = publisher_->Publish({"q", body}).get();
    ASSERT_TRUE(status.ok()) << status;
  }
  // Ready and unacknowledged messages.
  std::pair<uint64_t, uint64_t> Counts() {
    const auto queue = client_->topology().GetQueue("q");
    return {queue->messages_ready(), queue->messages_unacked()};
  }
  std::unique_ptr<Consumer> Consume(ConsumerOptions options,
                                    DeliveryHandler handler) {
    auto consumer = client_->Consume(std::move(options), std::move(handler));
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return *std::move(consumer);
  }
  // A handler that keeps what comes.
  DeliveryHandler Keep() {
    return [this](Delivery delivery) { kept_.Add(std::move(delivery)); };
  }

  std::unique_ptr<Client> client_ = Connect();
  std::unique_ptr<Publisher> publisher_ = client_->NewPublisher();
  Collected<Delivery> kept_;
};

TEST_F(ClientConsume, DeliveriesComeInOrderAndAreGoneOnceAcknowledged) {
  Collected<std::string> bodies;
  const auto consumer = Consume(ConsumerOptions("q"), [&](Delivery delivery) {
    bodies.Add(delivery.body());
    EXPECT_FALSE(delivery.redelivered());
    EXPECT_TRUE(std::move(delivery).Ack().ok());
  });
  for (const char* body : {"a", "b", "c"}) Publish(body);
  EXPECT_THAT(bodies.AwaitCount(3), ElementsAre("a", "b", "c"));
  ASSERT_TRUE(consumer->Flush(kPatience).ok());
  EXPECT_EQ(Counts(), std::make_pair(uint64_t{0}, uint64_t{0}));
}

TEST_F(ClientConsume, ThousandsOfAcksGather) {
  constexpr int kMessages = 5000;
  Collected<int> done;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(
        publisher_->Publish({"q", "m"}, [](const absl::Status&) {}).ok());
  }
  const auto consumer = Consume(ConsumerOptions("q"), [&](Delivery delivery) {
    EXPECT_TRUE(std::move(delivery).Ack().ok());
    done.Add(1);
  });
  done.AwaitCount(kMessages);
  ASSERT_TRUE(consumer->Flush(kPatience).ok());
  EXPECT_EQ(Counts(), std::make_pair(uint64_t{0}, uint64_t{0}));
}

TEST_F(ClientConsume, PrefetchBoundsWhatIsUnsettled) {
  ConsumerOptions options("q");
  options.prefetch_count = 2;
  const auto consumer = Consume(options, Keep());
  for (int i = 0; i < 5; ++i) Publish(std::to_string(i));
  Delivery first = kept_.Take();
  Delivery second = kept_.Take();
  ASSERT_TRUE(consumer->Flush(kPatience).ok());  // what was to come has come
  EXPECT_EQ(Counts(), std::make_pair(uint64_t{3}, uint64_t{2}));
  ASSERT_TRUE(std::move(first).Ack().ok());
  EXPECT_EQ(kept_.Take().body(), "2");
}

TEST_F(ClientConsume, ARequeuedMessageComesAgain) {
  const auto consumer = Consume(ConsumerOptions("q"), Keep());
  Publish("m");
  ASSERT_TRUE(kept_.Take().delivery_count() == 0);  // dropped: requeued
  Delivery second = kept_.Take();
  EXPECT_TRUE(second.redelivered());
  ASSERT_TRUE(std::move(second).Nack(Requeue::kYes).ok());
  Delivery third = kept_.Take();
  EXPECT_EQ(third.delivery_count(), 2u);
  ASSERT_TRUE(std::move(third).Ack().ok());
}

TEST_F(ClientConsume, ADiscardedMessageIsDeadLettered) {
  ASSERT_TRUE(client_->topology().DeclareQueue("dead").ok());
  QueueSpec spec;
  spec.name = "with-dead-letters";
  spec.options.set_dead_letter_exchange("");
  spec.options.set_dead_letter_routing_key("dead");
  ASSERT_TRUE(client_->topology().DeclareQueue(spec).ok());
  const auto dead = Consume(ConsumerOptions("dead"), Keep());
  const auto consumer =
      Consume(ConsumerOptions(spec.name), [](Delivery delivery) {
        EXPECT_TRUE(std::move(delivery).Nack(Requeue::kNo).ok());
      });
  ASSERT_TRUE(publisher_->Publish({spec.name, "m"}).get().ok());
  Delivery letter = kept_.Take();
  EXPECT_EQ(letter.body(), "m");
  EXPECT_EQ(letter.message().headers().count("x-death"), 1u);
  EXPECT_TRUE(std::move(letter).Ack().ok());
}

TEST_F(ClientConsume, AutoAckDeliveriesAreSettled) {
  ConsumerOptions options("q");
  options.auto_ack = true;
  const auto consumer = Consume(options, Keep());
  Publish("m");
  EXPECT_TRUE(kept_.Take().Delivery::body() == "m");
  ASSERT_TRUE(consumer->Flush(kPatience).ok());
  EXPECT_EQ(Counts(), std::make_pair(uint64_t{0}, uint64_t{0}));
}

TEST_F(ClientConsume, ADeletedQueueCancelsTheConsumer) {
  Collected<absl::Status> cancelled;
  ConsumerOptions options("q");
  options.on_cancelled = [&](const absl::Status& status) {
    cancelled.Add(status);
  };
  const auto consumer = Consume(options, Keep());
  ASSERT_TRUE(client_->topology().DeleteQueue("q").ok());
  const absl::Status status = cancelled.AwaitCount(1).front();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(status), "QUEUE_DELETED");
  EXPECT_EQ(consumer->status(), status);
}

TEST_F(ClientConsume, WhatADeletedQueueTookIsReportedLost) {
  Collected<uint64_t> lost;
  ConsumerOptions options("q");
  options.on_lost = [&](uint64_t first, uint64_t last,
                        const absl::Status& status) {
    EXPECT_EQ(ReasonOf(status), kDeliveryLost);
    for (uint64_t tag = first; tag <= last; ++tag) lost.Add(tag);
  };
  const auto consumer = Consume(options, Keep());
  Publish("m");
  Delivery delivery = kept_.Take();
  ASSERT_TRUE(client_->topology().DeleteQueue("q").ok());
  EXPECT_THAT(lost.AwaitCount(1), ElementsAre(delivery.delivery_tag()));
}

TEST_F(ClientConsume, AConsumerThatCannotStartSaysWhy) {
  EXPECT_EQ(ReasonOf(client_->Consume("nowhere", Keep()).status()),
            "QUEUE_NOT_FOUND");
  ConsumerOptions exclusive("q");
  exclusive.exclusive = true;
  const auto first = Consume(exclusive, Keep());
  EXPECT_EQ(ReasonOf(client_->Consume("q", Keep()).status()),
            "CONSUMER_EXCLUSIVE");
}

TEST_F(ClientConsume, ATemporaryQueueComesAndGoesWithItsConsumer) {
  ConsumerOptions options;
  options.temporary_queue.emplace();
  auto& binding = *options.temporary_queue->add_bindings();
  binding.set_exchange("amq.topic");
  binding.set_routing_key("order.*");
  auto consumer = Consume(options, Keep());
  ASSERT_TRUE(publisher_->Publish({"amq.topic", "order.paid", "m"}).get().ok());
  Delivery delivery = kept_.Take();
  EXPECT_EQ(delivery.routing_key(), "order.paid");
  EXPECT_EQ(delivery.exchange(), "amq.topic");
  const std::string queue = consumer->queue();
  EXPECT_TRUE(client_->topology().GetQueue(queue).ok());
  consumer.reset();
  EXPECT_EQ(ReasonOf(client_->topology().GetQueue(queue).status()),
            "QUEUE_NOT_FOUND");
}

TEST_F(ClientConsume, ACancelledConsumerMaySettleWhatItHas) {
  const auto consumer = Consume(ConsumerOptions("q"), Keep());
  Publish("m");
  Delivery delivery = kept_.Take();
  consumer->Cancel();
  ASSERT_TRUE(consumer->Flush(kPatience).ok());
  EXPECT_EQ(client_->topology().GetQueue("q")->consumer_count(), 0u);
  EXPECT_TRUE(std::move(delivery).Ack().ok());
  ASSERT_TRUE(consumer->Flush(kPatience).ok());
  EXPECT_EQ(Counts(), std::make_pair(uint64_t{0}, uint64_t{0}));
}

TEST_F(ClientConsume, ADestroyedConsumerHasSentItsAcksAndRequeuesTheRest) {
  auto consumer = Consume(ConsumerOptions("q"), Keep());
  Publish("acked");
  Publish("left");
  Delivery acked = kept_.Take();
  Delivery left = kept_.Take();
  ASSERT_TRUE(std::move(acked).Ack().ok());
  consumer.reset();
  EXPECT_EQ(Counts(), std::make_pair(uint64_t{1}, uint64_t{0}));
  EXPECT_EQ(ReasonOf(std::move(left).Ack()), kDeliveryLost);
}

TEST_F(ClientConsume, AHandlerMayCloseItsConsumer) {
  std::unique_ptr<Consumer> consumer;
  Collected<int> closed;
  // The consumer is there before the first message is.
  consumer = Consume(ConsumerOptions("q"), [&](Delivery delivery) {
    EXPECT_TRUE(std::move(delivery).Ack().ok());
    consumer.reset();
    closed.Add(1);
  });
  Publish("a");
  closed.AwaitCount(1);
  EXPECT_EQ(consumer, nullptr);
}

TEST_F(ClientConsume, AnAckAfterItsConsumersEndIsTakenOrReported) {
  std::unique_ptr<Consumer> consumer;
  Collected<absl::Status> acked;
  consumer = Consume(ConsumerOptions("q"), [&](Delivery delivery) {
    consumer.reset();
    acked.Add(std::move(delivery).Ack());
  });
  Publish("a");
  const absl::Status status = acked.AwaitCount(1).front();
  if (status.ok()) {
    while (Counts().second > 0) std::this_thread::yield();
    EXPECT_EQ(Counts().first, 0u);
  } else {
    EXPECT_EQ(ReasonOf(status), kDeliveryLost);
    while (Counts().first == 0) std::this_thread::yield();
  }
}

TEST_F(ClientConsume, AHandlerMayMakeCallsThatBlock) {
  Collected<uint64_t> ready;
  const auto consumer = Consume(ConsumerOptions("q"), [&](Delivery delivery) {
    ready.Add(client_->topology().GetQueue("q")->messages_unacked());
    EXPECT_TRUE(std::move(delivery).Ack().ok());
  });
  Publish("m");
  EXPECT_THAT(ready.AwaitCount(1), ElementsAre(1u));
}

// An executor with one thread.
class OneThread {
 public:
  ~OneThread() {
    Run(nullptr);
    thread_.join();
  }
  void Run(absl::AnyInvocable<void()> task) { tasks_.Add(std::move(task)); }

 private:
  Collected<absl::AnyInvocable<void()>> tasks_;
  std::thread thread_{[this] {
    while (auto task = tasks_.Take()) task();
  }};
};

TEST_F(ClientConsume, HandlersRunOnTheExecutorThatIsGiven) {
  OneThread thread;
  ClientOptions options = Options();
  options.executor = [&thread](absl::AnyInvocable<void()> task) {
    thread.Run(std::move(task));
  };
  const auto client = Connect(options);
  Collected<std::thread::id> threads;
  Collected<std::string> bodies;
  ConsumerOptions auto_ack("q");
  auto_ack.auto_ack = true;
  auto consumer = client->Consume(auto_ack, [&](Delivery delivery) {
    threads.Add(std::this_thread::get_id());
    bodies.Add(delivery.body());
  });
  ASSERT_TRUE(consumer.ok());
  // More than may wait for the executor before the stream is left unread.
  constexpr int kMessages = 4000;
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(
        publisher_
            ->Publish({"q", std::to_string(i)}, [](const absl::Status&) {})
            .ok());
  }
  const auto got = bodies.AwaitCount(kMessages);
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_EQ(got[static_cast<size_t>(i)], std::to_string(i));
  }
  const auto ids = threads.AwaitCount(kMessages);
  EXPECT_NE(ids.front(), std::this_thread::get_id());
  EXPECT_EQ(std::count(ids.begin(), ids.end(), ids.front()), kMessages);
}

TEST_F(ClientConsume, AConsumerEndsThoughItsExecutorIsStuck) {
  Collected<absl::AnyInvocable<void()>> stuck;  // runs nothing
  ClientOptions options = Options();
  options.executor = [&stuck](absl::AnyInvocable<void()> task) {
    stuck.Add(std::move(task));
  };
  const auto client = Connect(options);
  ConsumerOptions auto_ack("q");
  auto_ack.auto_ack = true;
  auto consumer = client->Consume(auto_ack, [](Delivery) {});
  ASSERT_TRUE(consumer.ok());
  // More than may wait for the executor before the stream is left unread.
  for (int i = 0; i < 4000; ++i) {
    ASSERT_TRUE(
        publisher_->Publish({"q", "m"}, [](const absl::Status&) {}).ok());
  }
  for (int i = 0; i < 1001; ++i) stuck.Take();
  consumer->reset();
}

TEST_F(ClientConsume, GetTakesWhatIsThere) {
  EXPECT_THAT(*client_->Get("q"), IsEmpty());
  for (const char* body : {"a", "b", "c"}) Publish(body);
  GetOptions two;
  two.max_messages = 2;
  auto got = client_->Get("q", two);
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), 2u);
  EXPECT_TRUE(std::move((*got)[0]).Ack().ok());
  EXPECT_TRUE(std::move((*got)[1]).Nack(Requeue::kYes).ok());
  EXPECT_EQ(Counts(), std::make_pair(uint64_t{2}, uint64_t{0}));
  GetOptions auto_ack;
  auto_ack.auto_ack = true;
  EXPECT_EQ(client_->Get("q", auto_ack)->front().body(), "b");
  EXPECT_EQ(Counts(), std::make_pair(uint64_t{1}, uint64_t{0}));
}

TEST_F(ClientConsume, GetWaitsForAMessage) {
  std::thread late([this] { Publish("m"); });
  GetOptions wait;
  wait.wait = absl::Seconds(30);
  auto got = client_->Get("q", wait);
  late.join();
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), 1u);
}

}  // namespace
}  // namespace kelpmq::testing
