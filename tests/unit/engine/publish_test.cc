// Publishing batches: who gets what, in which order, and what is answered.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Publishing = EngineTest;

std::vector<std::string> Numbered(int from, int to) {
  std::vector<std::string> bodies;
  for (int i = from; i < to; ++i) bodies.push_back(std::to_string(i));
  return bodies;
}

TEST_F(Publishing, MAND_01_MandatoryMessageWithoutQueueFails) {
  auto result = Publish("amq.direct", "k", {"m"}, /*mandatory=*/true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted_count, 0u);
  EXPECT_EQ(result->unrouted_count, 0u);
  ASSERT_EQ(result->failures.size(), 1u);
  EXPECT_EQ(result->failures[0].index, 0u);
  EXPECT_EQ(ReasonOf(result->failures[0].error), "NO_ROUTE");
  EXPECT_EQ(InfoOf(result->failures[0].error).amqp_code, 312);
}

TEST_F(Publishing, MAND_02_OneQueueSufficesForMandatory) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Bind("amq.fanout", "q").ok());
  auto result = Publish("amq.fanout", "", {"m"}, /*mandatory=*/true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->failures, IsEmpty());
  EXPECT_EQ(result->queue_count, 1u);
}

TEST_F(Publishing, MAND_04_UnroutableMessageIsDroppedAndCounted) {
  auto result = Publish("amq.direct", "k", {"a", "b"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted_count, 2u);
  EXPECT_EQ(result->unrouted_count, 2u);
  EXPECT_EQ(result->queue_count, 0u);
  EXPECT_THAT(result->failures, IsEmpty());
}

TEST_F(Publishing, MAND_05_AbsentExchangeFailsItsItemAlone) {
  ASSERT_TRUE(Declare("q").ok());
  auto result = PublishItems({Item("", "q", "before"), Item("nox", "k", "lost"),
                              Item("", "q", "after")});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted_count, 2u);
  ASSERT_EQ(result->failures.size(), 1u);
  EXPECT_EQ(result->failures[0].index, 1u);
  EXPECT_EQ(ReasonOf(result->failures[0].error), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(result->failures[0].error.message(),
            "NOT_FOUND - no exchange 'nox' in vhost '/'");
  EXPECT_THAT(Drain("q"), ElementsAre("before", "after"));
}

TEST_F(Publishing, EXB_06_InternalExchangeFailsItsItem) {
  auto result = Publish("amq.rabbitmq.trace", "k", {"m"});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->failures.size(), 1u);
  EXPECT_EQ(ReasonOf(result->failures[0].error), "INTERNAL_EXCHANGE");
}

TEST_F(Publishing, CONF_02_EmptyBatchIsConfirmed) {
  auto result = PublishItems({});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted_count, 0u);
  EXPECT_THAT(result->failures, IsEmpty());
}

TEST_F(Publishing, CONF_06_ConfirmComesWhenAllQueuesHaveTheMessage) {
  ASSERT_TRUE(Declare("q1").ok());
  ASSERT_TRUE(Declare("q2").ok());
  ASSERT_TRUE(Bind("amq.fanout", "q1").ok());
  ASSERT_TRUE(Bind("amq.fanout", "q2").ok());
  std::vector<uint64_t> ready;
  engine_.Publish({vhost_, {Item("amq.fanout", "", "m")}},
                  [&](absl::StatusOr<PublishResult> result) {
                    ASSERT_TRUE(result.ok());
                    EXPECT_EQ(result->queue_count, 2u);
                    for (const char* name : {"q1", "q2"}) {
                      engine_.GetQueue({vhost_, name},
                                       [&](absl::StatusOr<QueueInfo> info) {
                                         ready.push_back(info->messages_ready);
                                       });
                    }
                  });
  executor_.RunAll();
  EXPECT_THAT(ready, ElementsAre(1, 1)) << "visible to the confirm itself";
}

TEST_F(Publishing, ORDER_01_OrderOfABatchIsKeptPerQueue) {
  ASSERT_TRUE(Declare("odd").ok());
  ASSERT_TRUE(Declare("even").ok());
  ASSERT_TRUE(Declare("all").ok());
  ASSERT_TRUE(Bind("amq.topic", "odd", "odd").ok());
  ASSERT_TRUE(Bind("amq.topic", "even", "even").ok());
  ASSERT_TRUE(Bind("amq.topic", "all", "#").ok());
  std::vector<PublishItem> items;
  std::vector<std::string> odd, even;
  for (int i = 0; i < 100; ++i) {
    // Runs of the same key, and changes.
    const bool is_odd = (i / 3) % 2 == 1;
    (is_odd ? odd : even).push_back(std::to_string(i));
    items.push_back(
        Item("amq.topic", is_odd ? "odd" : "even", std::to_string(i)));
  }
  auto result = PublishItems(std::move(items));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->queue_count, 200u);
  EXPECT_EQ(Drain("odd"), odd);
  EXPECT_EQ(Drain("even"), even);
  EXPECT_EQ(Drain("all"), Numbered(0, 100));
}

TEST_F(Publishing, ORDER_01_OrderOfBatchesIsKept) {
  ASSERT_TRUE(Declare("q").ok());
  for (int i = 0; i < 50; i += 10) {
    ASSERT_TRUE(Publish("", "q", Numbered(i, i + 10)).ok());
  }
  EXPECT_EQ(Drain("q"), Numbered(0, 50));
}

TEST_F(Publishing, ManyQueuesOfOneBatchEachGetTheirShare) {
  constexpr int kQueues = 40;  // past the point where shares are hashed
  std::vector<PublishItem> items;
  for (int round = 0; round < 3; ++round) {
    for (int q = 0; q < kQueues; ++q) {
      if (round == 0) {
        ASSERT_TRUE(Declare("q" + std::to_string(q)).ok());
      }
      items.push_back(Item("", "q" + std::to_string(q), std::to_string(round)));
    }
  }
  auto result = PublishItems(std::move(items));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted_count, 3u * kQueues);
  EXPECT_EQ(result->queue_count, 3u * kQueues);
  for (int q = 0; q < kQueues; ++q) {
    EXPECT_THAT(Drain("q" + std::to_string(q)), ElementsAre("0", "1", "2"));
  }
}

TEST_F(Publishing, RunsOfOneKeyMixWithFailuresAndUnroutedItems) {
  ASSERT_TRUE(Declare("q").ok());
  auto result = PublishItems({
      Item("", "q", "1"),
      Item("", "none", "2"),
      Item("", "none", "3", /*mandatory=*/true),
      Item("nox", "q", "4"),
      Item("nox", "q", "5"),
      Item("", "q", "6"),
      Item("", "q", "7", /*mandatory=*/true),
  });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted_count, 4u);
  EXPECT_EQ(result->unrouted_count, 1u);
  EXPECT_EQ(result->queue_count, 3u);
  std::vector<std::pair<uint32_t, std::string>> failures;
  for (const PublishFailure& failure : result->failures) {
    failures.emplace_back(failure.index, ReasonOf(failure.error));
  }
  EXPECT_THAT(failures, ElementsAre(std::make_pair(2u, "NO_ROUTE"),
                                    std::make_pair(3u, "EXCHANGE_NOT_FOUND"),
                                    std::make_pair(4u, "EXCHANGE_NOT_FOUND")));
  EXPECT_THAT(Drain("q"), ElementsAre("1", "6", "7"));
}

TEST_F(Publishing, MSG_02_EmptyBodiesAreDelivered) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {""}).ok());
  EXPECT_THAT(Drain("q"), ElementsAre(""));
}

TEST_F(Publishing, FanOutSharesOneMessage) {
  ASSERT_TRUE(Declare("q1").ok());
  ASSERT_TRUE(Declare("q2").ok());
  ASSERT_TRUE(Bind("amq.fanout", "q1").ok());
  ASSERT_TRUE(Bind("amq.fanout", "q2").ok());
  ASSERT_TRUE(Publish("amq.fanout", "", {"m"}).ok());
  auto first = Get("q1", NewSink());
  auto second = Get("q2", NewSink());
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(&*first->deliveries[0].message, &*second->deliveries[0].message);
}

TEST_F(Publishing, TheResultNamesAQueueThatIsCrowded) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Declare("short").ok());
  for (const char* name : {"q", "short"}) {
    ASSERT_TRUE(Bind("amq.fanout", name).ok());
  }
  const std::vector<std::string> many(4200);
  EXPECT_EQ(Publish("", "q", many)->crowded, nullptr) << "nobody consumes";
  ConsumeParams params = Consumer("q", NewSink());
  params.prefetch_count = 1;
  const auto consumer = Consume(params);
  ASSERT_TRUE(consumer.ok());
  EXPECT_EQ(Publish("amq.fanout", "", {"m"})->crowded, consumer->queue);
  EXPECT_EQ(Publish("", "short", {"m"})->crowded, nullptr);
}

}  // namespace
}  // namespace kelpmq::service::testing
