#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "tests/e2e/cpp/client_fixture.h"

namespace kelpmq::testing {
namespace {

using Kind = ClientEvent::Kind;

class ClientRecovery : public ClientTest {
 protected:
  void Bind(const std::string& source, const std::string& queue,
            const std::string& key) {
    BindingSpec binding;
    binding.source = source;
    binding.destination = queue;
    binding.routing_key = key;
    ASSERT_TRUE(client_->topology().BindQueue(binding).ok());
  }
  void KillAndRestart() {
    broker_.Kill();
    AwaitEvent(Kind::kDisconnected);
    broker_.Restart();
    AwaitEvent(Kind::kReconnected);
  }

  std::unique_ptr<Client> client_ = Connect();
};

// The broker keeps messages in memory: what it had when it was killed is gone.
TEST_F(ClientRecovery, PublishAndConsumeSurviveAKilledBroker) {
  ExchangeSpec exchange;
  exchange.name = "orders";
  exchange.type = "topic";
  ASSERT_TRUE(client_->topology().DeclareExchange(exchange).ok());
  ASSERT_TRUE(client_->topology().DeclareQueue("all").ok());
  Bind("orders", "all", "#");

  Collected<int> delivered;
  const auto consumer = client_->Consume("all", [&](Delivery delivery) {
    delivered.Add(std::stoi(delivery.body()));
    // Lost if the broker died meanwhile; then it comes again, or is gone.
    std::move(delivery).Ack().IgnoreError();
  });
  ASSERT_TRUE(consumer.ok()) << consumer.status();

  // One thread publishes all the time, more than the window takes.
  struct Confirm {
    int number;
    bool after_restart;
    absl::Status status;
  };
  Collected<Confirm> confirms;
  std::atomic<bool> restarted{false};
  std::atomic<bool> stop{false};
  std::atomic<int> published{0};
  PublisherOptions options;
  constexpr int kWindow = 500;
  options.max_unconfirmed_messages = kWindow;
  const auto publisher = client_->NewPublisher(options);
  std::thread producer([&] {
    for (int i = 0; !stop; ++i) {
      const bool after = restarted;
      ASSERT_TRUE(publisher
                      ->Publish({"orders", "paid", std::to_string(i)},
                                [&, i, after](const absl::Status& status) {
                                  confirms.Add({i, after, status});
                                })
                      .ok());
      published = i + 1;
    }
  });

  delivered.AwaitCount(1000);
  // So that something is under way when it dies: what is published from now on,
  // or a whole window.
  broker_.Freeze();
  const int published_before = published;
  while (published == published_before &&
         published - static_cast<int>(confirms.AwaitCount(0).size()) <
             kWindow) {
    std::this_thread::yield();
  }
  broker_.Kill();
  AwaitEvent(Kind::kDisconnected);
  broker_.Restart();
  AwaitEvent(Kind::kReconnected);
  restarted = true;
  const size_t delivered_by_now = delivered.AwaitCount(0).size();
  delivered.AwaitCount(delivered_by_now + 1000);
  stop = true;
  producer.join();
  ASSERT_TRUE(publisher->Flush(kPatience).ok());

  // Each publish has one answer: confirmed, or unknown.
  const auto answers = confirms.AwaitCount(static_cast<size_t>(published));
  std::map<int, absl::Status> by_number;
  std::set<int> confirmed_after;
  int unknown = 0;
  for (const Confirm& confirm : answers) {
    EXPECT_TRUE(by_number.emplace(confirm.number, confirm.status).second);
    if (confirm.status.ok()) {
      if (confirm.after_restart) confirmed_after.insert(confirm.number);
    } else {
      EXPECT_TRUE(IsOutcomeUnknown(confirm.status)) << confirm.status;
      EXPECT_FALSE(confirm.after_restart);
      ++unknown;
    }
  }
  EXPECT_EQ(by_number.size(), static_cast<size_t>(published));
  EXPECT_GT(unknown, 0);

  // All that was confirmed after the restart is delivered.
  ASSERT_FALSE(confirmed_after.empty());
  delivered.Await([&](const std::vector<int>& numbers) {
    const std::set<int> got(numbers.begin(), numbers.end());
    return std::includes(got.begin(), got.end(), confirmed_after.begin(),
                         confirmed_after.end());
  });
}

TEST_F(ClientRecovery, TopologyIsRestoredButForWhatWasDeletedOrShallNotBe) {
  ASSERT_TRUE(client_->topology().DeclareQueue("kept").ok());
  ASSERT_TRUE(client_->topology().DeclareQueue("deleted").ok());
  ASSERT_TRUE(client_->topology().DeleteQueue("deleted").ok());
  QueueSpec left;
  left.name = "left";
  left.restore = Restore::kNo;
  ASSERT_TRUE(client_->topology().DeclareQueue(left).ok());
  Bind("amq.direct", "kept", "k");
  const auto publisher = client_->NewPublisher();
  ASSERT_TRUE(publisher->Publish({"kept", "m"}).get().ok());

  KillAndRestart();
  EXPECT_TRUE(client_->topology().GetQueue("kept").ok());
  EXPECT_FALSE(client_->topology().GetQueue("deleted").ok());
  EXPECT_FALSE(client_->topology().GetQueue("left").ok());
  EXPECT_TRUE(publisher->Publish({"amq.direct", "k", "m"}).get().ok());
  EXPECT_EQ(client_->Get("kept")->size(), 1u);
}

TEST_F(ClientRecovery, DeliveriesOfTheOldConnectionAreLost) {
  ASSERT_TRUE(client_->topology().DeclareQueue("q").ok());
  Collected<Delivery> kept;
  const auto consumer = client_->Consume(
      "q", [&](Delivery delivery) { kept.Add(std::move(delivery)); });
  ASSERT_TRUE(consumer.ok());
  const auto publisher = client_->NewPublisher();
  ASSERT_TRUE(publisher->Publish({"q", "before"}).get().ok());
  Delivery old = kept.Take();
  KillAndRestart();
  const absl::Status late = std::move(old).Ack();
  EXPECT_EQ(late.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(late), kDeliveryLost);
  // The consumer goes on, with tags that begin anew.
  ASSERT_TRUE(publisher->Publish({"q", "after"}).get().ok());
  Delivery fresh = kept.Take();
  EXPECT_EQ(fresh.body(), "after");
  EXPECT_TRUE(std::move(fresh).Ack().ok());
}

TEST_F(ClientRecovery, ConsumersFollowQueuesThatTheBrokerNames) {
  QueueSpec exclusive;
  exclusive.exclusive = true;
  const auto queue = client_->topology().DeclareQueue(exclusive);
  ASSERT_TRUE(queue.ok()) << queue.status();
  Bind("amq.fanout", queue->name(), "");
  Collected<std::string> bodies;
  const auto consumer = client_->Consume(queue->name(), [&](Delivery delivery) {
    bodies.Add(delivery.body());
    EXPECT_TRUE(std::move(delivery).Ack().ok());
  });
  ASSERT_TRUE(consumer.ok()) << consumer.status();

  KillAndRestart();
  AwaitEvent(Kind::kQueueRenamed);
  // The consumer may be a moment behind the event.
  const auto publisher = client_->NewPublisher();
  ASSERT_TRUE(publisher->Publish({"amq.fanout", "", "m"}).get().ok());
  EXPECT_EQ(bodies.AwaitCount(1).front(), "m");
  EXPECT_NE((*consumer)->queue(), queue->name());
}

TEST_F(ClientRecovery, PublishesWaitForTheBrokerToComeBack) {
  ASSERT_TRUE(client_->topology().DeclareQueue("q").ok());
  const auto publisher = client_->NewPublisher();
  ASSERT_TRUE(publisher->Publish({"q", "before"}).get().ok());
  broker_.Kill();
  AwaitEvent(Kind::kAttemptFailed);
  auto confirm = publisher->Publish({"q", "while it is away"});
  broker_.Restart();
  const absl::Status status = confirm.get();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(ClientRecovery, WhatLostItsConfirmIsSentAgainIfAskedFor) {
  ASSERT_TRUE(client_->topology().DeclareQueue("q").ok());
  PublisherOptions options;
  options.lost_confirms = PublisherOptions::LostConfirms::kResend;
  const auto publisher = client_->NewPublisher(options);
  std::atomic<bool> stop{false};
  Collected<absl::Status> confirms;
  std::atomic<size_t> published{0};
  std::thread producer([&] {
    while (!stop) {
      ASSERT_TRUE(publisher
                      ->Publish({"q", "m"},
                                [&](const absl::Status& status) {
                                  confirms.Add(status);
                                })
                      .ok());
      ++published;
    }
  });
  confirms.AwaitCount(100);
  KillAndRestart();
  stop = true;
  producer.join();
  for (const absl::Status& status : confirms.AwaitCount(published)) {
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST_F(ClientRecovery, AClientThatIsClosedWhileTheBrokerIsAwayEndsAtOnce) {
  ASSERT_TRUE(client_->topology().DeclareQueue("q").ok());
  const auto publisher = client_->NewPublisher();
  ASSERT_TRUE(publisher->Publish({"q", "m"}).get().ok());
  broker_.Kill();
  AwaitEvent(Kind::kAttemptFailed);
  auto unsent = publisher->Publish({"q", "m"});
  client_.reset();
  EXPECT_EQ(ReasonOf(unsent.get()), kClosed);
}

}  // namespace
}  // namespace kelpmq::testing
