// Dead letters on their way through a vhost: DLX, and what publishers are told
// when queues are full (CONF, MAND-06).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "service/base/message_wire.h"
#include "tests/testing/message_encoder.h"
#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DeadLetters : public EngineTest {
 protected:
  const Table kAtLeastOnce = {{"x-queue-type", "quorum"},
                              {"x-dead-letter-strategy", "at-least-once"},
                              {"x-overflow", "reject-publish"}};

  // A queue whose dead letters go to `exchange`, with `key` if it is not empty.
  void DeclareDying(const std::string& name, const std::string& exchange,
                    const std::string& key = "", Table more = {}) {
    more["x-dead-letter-exchange"] = exchange;
    if (!key.empty()) more["x-dead-letter-routing-key"] = key;
    QueueSpec spec;
    spec.name = name;
    spec.durable = true;
    spec.arguments = std::move(more);
    const auto declared = Declare(std::move(spec));
    ASSERT_TRUE(declared.ok()) << declared.status();
  }
  // Takes the head of a queue.
  GetResult Take(const std::string& queue) {
    auto got = Get(queue, NewSink());
    EXPECT_TRUE(got.ok()) << got.status();
    return got.ok() ? *std::move(got) : GetResult();
  }
  // Takes the head and lets it die.
  void Reject(const std::string& queue) {
    const GetResult got = Take(queue);
    ASSERT_THAT(got.deliveries, SizeIs(1));
    ASSERT_TRUE(Settle(SettleAction::kDiscard, got.queue,
                       {got.deliveries[0].delivery_id})
                    .ok());
  }
  uint64_t Ready(const std::string& queue) {
    const auto info = FindQueue(queue);
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? info->messages_ready : 0;
  }
};

TEST_F(DeadLetters, DLX_01_ARejectedMessageGoesToTheExchangeWithItsKey) {
  ASSERT_TRUE(DeclareExchange("dl", "topic").ok());
  ASSERT_TRUE(Declare("d").ok());
  ASSERT_TRUE(Bind("dl", "d", "q1").ok());
  DeclareDying("q1", "dl");
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Reject("q1");
  const GetResult got = Take("d");
  ASSERT_THAT(got.deliveries, SizeIs(1));
  const Message& letter = *got.deliveries[0].message;
  EXPECT_EQ(letter.exchange(), "dl");
  EXPECT_EQ(letter.routing_key(), "q1");
  EXPECT_EQ(BodyOf(letter), "z");
  EXPECT_EQ(got.deliveries[0].delivery_count, 0u);  // DLX-16
}

TEST_F(DeadLetters, LEN_07_ARefusedCopysLetterComesAfterTheOtherCopies) {
  ASSERT_TRUE(DeclareExchange("f", "fanout").ok());
  ASSERT_TRUE(Declare("others").ok());
  // Whichever of the two gets its copy first.
  for (const char* name : {"a", "z"}) {
    DeclareDying(name, "", "others",
                 {{"x-max-length", int64_t{0}},
                  {"x-overflow", std::string("reject-publish-dlx")}});
    ASSERT_TRUE(Bind("f", name, "").ok());
    ASSERT_TRUE(Bind("f", "others", "").ok());
  }
  ASSERT_TRUE(Publish("f", "", {"1"}).ok());
  auto got = Get("others", NewSink(), 9);
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_THAT(got->deliveries, SizeIs(3));
  EXPECT_EQ(got->deliveries[0].message->exchange(), "f");
  EXPECT_EQ(got->deliveries[1].message->exchange(), "");
  EXPECT_EQ(got->deliveries[2].message->exchange(), "");
}

TEST_F(DeadLetters, DLX_01_TheReplyComesWhenTheLetterIsThere) {
  ASSERT_TRUE(Declare("d").ok());
  DeclareDying("q1", "", "d");
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  const GetResult got = Take("q1");
  bool there = false;
  engine_.Settle(
      {SettleAction::kDiscard, {{got.queue, {got.deliveries[0].delivery_id}}}},
      [&](absl::StatusOr<SettleResult> result) {
        ASSERT_TRUE(result.ok());
        there = Ready("d") == 1;
      });
  executor_.RunAll();
  EXPECT_TRUE(there);
}

TEST_F(DeadLetters, DLX_03_ExpiredMessagesGoThereWithoutAnyCall) {
  ASSERT_TRUE(Declare("d").ok());
  DeclareDying("q1", "", "d", {{"x-message-ttl", int32_t{50}}});
  ASSERT_TRUE(Publish("", "q1", {"1", "2", "3"}).ok());
  Pass(absl::Milliseconds(40));
  EXPECT_EQ(Ready("q1"), 3u);
  Pass(absl::Milliseconds(10));
  EXPECT_EQ(Ready("q1"), 0u);
  EXPECT_THAT(Drain("d"), ElementsAre("1", "2", "3"));
}

TEST_F(DeadLetters, DLX_05_SoDoDroppedHeads) {
  ASSERT_TRUE(Declare("d").ok());
  DeclareDying("q1", "", "d", {{"x-max-length", int32_t{1}}});
  ASSERT_TRUE(Publish("", "q1", {"1", "2", "3"}).ok());
  EXPECT_THAT(Drain("d"), ElementsAre("1", "2"));
}

TEST_F(DeadLetters, DLX_07_WithoutAKeyOfItsOwnCcAndBccKeysRouteAgain) {
  ASSERT_TRUE(DeclareExchange("dl", "direct").ok());
  for (const char* name : {"cc", "bcc"}) {
    ASSERT_TRUE(Declare(name).ok());
    ASSERT_TRUE(Bind("dl", name, absl::StrCat(name, "-key")).ok());
  }
  DeclareDying("q1", "dl");
  PublishItem item;
  MessageParts parts;
  parts.routing_key = "q1";
  parts.body = "z";
  parts.headers = {{"CC", Array{"cc-key"}}, {"BCC", Array{"bcc-key"}}};
  item.message = MessageOf(parts);
  ASSERT_TRUE(PublishItems({item}).ok());
  Reject("q1");
  for (const char* name : {"cc", "bcc"}) {
    const GetResult got = Take(name);
    ASSERT_THAT(got.deliveries, SizeIs(1)) << name;
    const Table headers = DecodeHeaders(got.deliveries[0].message->encoded());
    EXPECT_EQ(headers.count("CC"), 1u);
    EXPECT_EQ(headers.count("BCC"), 0u) << "nobody sees it";
    const Array& deaths = *headers.find("x-death")->second.As<Array>();
    EXPECT_EQ(deaths[0].As<Table>()->find("routing-keys")->second,
              Value(Array{"q1", "cc-key"}));
  }
}

TEST_F(DeadLetters, DLX_07_AKeyOfItsOwnEndsBcc) {
  ASSERT_TRUE(Declare("bcc").ok());
  DeclareDying("q1", "", "q2");
  DeclareDying("q2", "");
  PublishItem item;
  MessageParts parts;
  parts.routing_key = "q1";
  parts.headers = {{"BCC", Array{"bcc"}}};
  item.message = MessageOf(parts);
  ASSERT_TRUE(PublishItems({item}).ok());
  EXPECT_EQ(Drain("bcc").size(), 1u) << "as published";
  Reject("q1");
  Reject("q2");
  EXPECT_THAT(Drain("bcc"), IsEmpty());
}

TEST_F(DeadLetters, DLX_08_AMissingExchangeOrNoRouteDropsThem) {
  DeclareDying("q1", "nope");
  DeclareDying("q2", "amq.direct");
  ASSERT_TRUE(Publish("", "q1", {"z"}, /*mandatory=*/true).ok());
  ASSERT_TRUE(Publish("", "q2", {"z"}, /*mandatory=*/true).ok());
  Reject("q1");
  Reject("q2");
  EXPECT_EQ(Ready("q1"), 0u);
  EXPECT_EQ(Ready("q2"), 0u);
}

TEST_F(DeadLetters, DLX_13_AQueueThatDeadLettersToItselfEnds) {
  DeclareDying("q1", "", "q1", {{"x-message-ttl", int32_t{10}}});
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Pass(absl::Seconds(1));
  EXPECT_EQ(Ready("q1"), 0u);
}

TEST_F(DeadLetters, DLX_13_ARejectedMessageMayComeBack) {
  DeclareDying("q1", "", "q1");
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  for (int i = 0; i < 3; ++i) Reject("q1");
  EXPECT_THAT(Drain("q1"), ElementsAre("z"));
}

TEST_F(DeadLetters, DLX_13_OtherQueuesOfTheRouteStillGetTheirCopy) {
  ASSERT_TRUE(Declare("d").ok());
  DeclareDying("q1", "amq.fanout", "", {{"x-message-ttl", int32_t{10}}});
  ASSERT_TRUE(Bind("amq.fanout", "q1").ok());
  ASSERT_TRUE(Bind("amq.fanout", "d").ok());
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Pass(absl::Seconds(1));
  EXPECT_EQ(Ready("q1"), 0u);
  EXPECT_THAT(Drain("d"), ElementsAre("z"));
}

TEST_F(DeadLetters, DLX_15_TheAlternateExchangeOfTheExchangeIsUsed) {
  ASSERT_TRUE(DeclareExchange("ae", "fanout").ok());
  DeclareExchangeParams params;
  params.vhost = vhost_;
  params.spec.name = "dl";
  params.spec.type = "direct";
  params.spec.arguments = {{"alternate-exchange", "ae"}};
  ASSERT_TRUE(Await<DeclareExchangeResult>([&](auto done) {
                engine_.DeclareExchange(std::move(params), std::move(done));
              }).ok());
  ASSERT_TRUE(Declare("d").ok());
  ASSERT_TRUE(Bind("ae", "d").ok());
  DeclareDying("q1", "dl");
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Reject("q1");
  EXPECT_THAT(Drain("d"), ElementsAre("z"));
}

TEST_F(DeadLetters, EXB_06_AnInternalExchangeMayBeTheirExchange) {
  ASSERT_TRUE(Declare("d").ok());
  ASSERT_TRUE(Bind("amq.rabbitmq.trace", "d", "#").ok());
  DeclareDying("q1", "amq.rabbitmq.trace");
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Reject("q1");
  EXPECT_THAT(Drain("d"), ElementsAre("z"));
}

TEST_F(DeadLetters, DLX_17_AtLeastOnceKeepsALetterUntilItHasARoute) {
  DeclareDying("q1", "", "d", kAtLeastOnce);
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Reject("q1");
  EXPECT_EQ(FindQueue("q1")->message_bytes, 1u);
  ASSERT_TRUE(Declare("d").ok());
  Pass(KeptLetters::kRetryAfter);
  EXPECT_THAT(Drain("d"), ElementsAre("z"));
  EXPECT_EQ(FindQueue("q1")->message_bytes, 0u);
}

TEST_F(DeadLetters, DLX_17_AtLeastOnceSendsAnewOnlyWhereThereWasNoRoom) {
  ASSERT_TRUE(Declare("full", {{"x-max-length", int32_t{0}},
                               {"x-overflow", "reject-publish"}})
                  .ok());
  ASSERT_TRUE(Declare("other").ok());
  for (const char* name : {"full", "other"}) {
    ASSERT_TRUE(Bind("amq.fanout", name).ok());
  }
  DeclareDying("q1", "amq.fanout", "", kAtLeastOnce);
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Reject("q1");
  EXPECT_THAT(Drain("other"), ElementsAre("z"));
  Pass(KeptLetters::kRetryAfter);
  EXPECT_THAT(Drain("other"), IsEmpty());
  ASSERT_TRUE(DeleteQueue("full").ok());
  ASSERT_TRUE(Declare("full").ok());
  ASSERT_TRUE(Bind("amq.fanout", "full").ok());
  Pass(KeptLetters::kRetryAfter);
  EXPECT_THAT(Drain("other"), IsEmpty());
  EXPECT_THAT(Drain("full"), ElementsAre("z"));
  EXPECT_EQ(FindQueue("q1")->message_bytes, 0u);
}

TEST_F(DeadLetters, DLX_17_AtLeastOnceEndsCirclesAsAnyOtherDoes) {
  Table arguments = kAtLeastOnce;
  arguments["x-message-ttl"] = int32_t{10};
  DeclareDying("q1", "", "q1", arguments);
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Pass(absl::Seconds(1));
  EXPECT_EQ(FindQueue("q1")->message_bytes, 0u);
}

TEST_F(DeadLetters, DLX_17_TheReplyComesAfterTheFirstAttempt) {
  ASSERT_TRUE(Declare("d").ok());
  DeclareDying("q1", "", "d", kAtLeastOnce);
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Reject("q1");
  EXPECT_EQ(FindQueue("q1")->message_bytes, 0u);
  EXPECT_THAT(Drain("d"), ElementsAre("z"));
}

TEST_F(DeadLetters, QUORUM_08_ARejectedMessageOfAQuorumQueueGoesThereToo) {
  ASSERT_TRUE(Declare("d").ok());
  DeclareDying("q1", "", "d", {{"x-queue-type", "quorum"}});
  ASSERT_TRUE(Publish("", "q1", {"z"}).ok());
  Reject("q1");
  const GetResult got = Take("d");
  ASSERT_THAT(got.deliveries, SizeIs(1));
  EXPECT_EQ(got.deliveries[0].delivery_count, 0u);
  EXPECT_EQ(DecodeHeaders(got.deliveries[0].message->encoded())
                .count("x-delivery-count"),
            0u);
}

TEST_F(DeadLetters, PRIO_08_PrioritySurvives) {
  DeclareDying("q1", "", "d");
  ASSERT_TRUE(Declare("d", {{"x-max-priority", int32_t{9}}}).ok());
  for (const auto& [body, priority] :
       {std::make_pair("low", 1), std::make_pair("high", 9)}) {
    MessageParts parts;
    parts.routing_key = "q1";
    parts.body = body;
    parts.priority = static_cast<uint8_t>(priority);
    PublishItem item;
    item.message = MessageOf(parts);
    ASSERT_TRUE(PublishItems({item}).ok());
  }
  Reject("q1");
  Reject("q1");
  EXPECT_THAT(Drain("d"), ElementsAre("high", "low"));
}

TEST_F(DeadLetters, QPURGE_02_NeitherPurgeNorDeleteDeadLetters) {
  ASSERT_TRUE(Declare("d").ok());
  DeclareDying("q1", "", "d");
  ASSERT_TRUE(Publish("", "q1", {"1"}).ok());
  ASSERT_TRUE(Purge("q1").ok());
  ASSERT_TRUE(Publish("", "q1", {"2"}).ok());
  ASSERT_TRUE(DeleteQueue("q1").ok());
  EXPECT_THAT(Drain("d"), IsEmpty());
}

TEST_F(DeadLetters, QEXP_05_AnExpiredQueueDoesNotDeadLetter) {
  ASSERT_TRUE(Declare("d").ok());
  DeclareDying("q1", "", "d", {{"x-expires", int32_t{50}}});
  ASSERT_TRUE(Publish("", "q1", {"1"}).ok());
  Pass(absl::Milliseconds(60));
  EXPECT_FALSE(HasQueue("q1"));
  EXPECT_THAT(Drain("d"), IsEmpty());
}

TEST_F(DeadLetters, OnePublishGoesThroughAChainOfQueues) {
  constexpr int kQueues = 50;
  for (int i = 0; i < kQueues; ++i) {
    DeclareDying(absl::StrCat("q", i), "", absl::StrCat("q", i + 1),
                 {{"x-max-length", int32_t{0}}});
  }
  ASSERT_TRUE(Declare(absl::StrCat("q", kQueues)).ok());
  ASSERT_TRUE(Publish("", "q0", {"z"}).ok());
  EXPECT_THAT(Drain(absl::StrCat("q", kQueues)), ElementsAre("z"));
}

// ---- What publishers are told ----

TEST_F(DeadLetters, CONF_04_ARefusedMessageFails) {
  ASSERT_TRUE(Declare("q1", {{"x-max-length", int32_t{2}},
                             {"x-overflow", "reject-publish"}})
                  .ok());
  auto result = Publish("", "q1", {"1", "2", "3"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->accepted_count, 2u);
  EXPECT_EQ(result->queue_count, 2u);
  ASSERT_THAT(result->failures, SizeIs(1));
  EXPECT_EQ(result->failures[0].index, 2u);
  EXPECT_EQ(ReasonOf(result->failures[0].error), "QUEUE_FULL");
  EXPECT_EQ(InfoOf(result->failures[0].error).amqp_code, 0);
  EXPECT_THAT(Drain("q1"), ElementsAre("1", "2"));
  EXPECT_THAT(Publish("", "q1", {"later"})->failures, IsEmpty());
}

TEST_F(DeadLetters, CONF_05_OneRefusalFailsThoughOthersKeepTheirCopy) {
  ASSERT_TRUE(Declare("full", {{"x-max-length", int32_t{0}},
                               {"x-overflow", "reject-publish"}})
                  .ok());
  ASSERT_TRUE(Declare("other").ok());
  ASSERT_TRUE(Bind("amq.fanout", "full").ok());
  ASSERT_TRUE(Bind("amq.fanout", "other").ok());
  auto result = Publish("amq.fanout", "", {"m"});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->accepted_count, 0u);
  EXPECT_EQ(result->queue_count, 1u);
  EXPECT_THAT(result->failures, SizeIs(1));
  EXPECT_THAT(Drain("other"), ElementsAre("m"));
}

TEST_F(DeadLetters, CONF_07_WhatIsDroppedAtOnceIsConfirmed) {
  ASSERT_TRUE(Declare("none", {{"x-max-length", int32_t{0}}}).ok());
  ASSERT_TRUE(Declare("brief", {{"x-message-ttl", int32_t{0}}}).ok());
  for (const char* queue : {"none", "brief"}) {
    auto result = Publish("", queue, {"m"});
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->accepted_count, 1u);
    EXPECT_EQ(Ready(queue), 0u);
  }
}

TEST_F(DeadLetters, MAND_06_AQueueThatDropsItAtOnceStillIsARoute) {
  ASSERT_TRUE(Declare("none", {{"x-max-length", int32_t{0}}}).ok());
  auto result = Publish("", "none", {"m"}, /*mandatory=*/true);
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->failures, IsEmpty());
  EXPECT_EQ(result->queue_count, 1u);
}

}  // namespace
}  // namespace kelpmq::service::testing
