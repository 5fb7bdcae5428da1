// What dead-lettering makes of a message: DLX.

#include "service/queue/dead_letter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "service/base/message_wire.h"
#include "tests/testing/message_encoder.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::BodyOf;
using ::kelpmq::service::testing::MessageOf;
using ::kelpmq::service::testing::MessageParts;
using ::kelpmq::service::testing::WireWriter;
using ::testing::ElementsAre;

const absl::Time kTime = absl::FromUnixSeconds(1'700'000'000);

// Dies in `queue`, which has the dead-letter exchange "dlx".
MessageRef Die(const MessageRef& message, absl::string_view queue,
               DeathReason reason = DeathReason::kRejected,
               std::optional<absl::string_view> routing_key = std::nullopt) {
  return MakeDeadLetter(*message, reason, {queue, "dlx", routing_key}, kTime);
}

Table HeadersOf(const MessageRef& message) {
  return DecodeHeaders(message->encoded());
}
// "queue reason xcount" of each death, in the header's order.
std::vector<std::string> Deaths(const MessageRef& message) {
  std::vector<std::string> deaths;
  const Table headers = HeadersOf(message);
  for (const Value& value : *headers.at("x-death").As<Array>()) {
    const Table& death = *value.As<Table>();
    deaths.push_back(*death.at("queue").As<std::string>() + " " +
                     *death.at("reason").As<std::string>() + " x" +
                     std::to_string(*death.at("count").As<int64_t>()));
  }
  return deaths;
}
std::string Text(const MessageRef& message, absl::string_view header) {
  const Table headers = HeadersOf(message);
  const auto it = headers.find(header);
  return it == headers.end() ? "absent" : *it->second.As<std::string>();
}

TEST(DeadLetter, DLX_02_TheFirstDeathIsRecordedExactly) {
  MessageParts parts;
  parts.exchange = "x";
  parts.routing_key = "key";
  parts.body = "m";
  parts.expiration = "60000";
  parts.headers = {{"CC", Array{"cc1", "cc2"}}, {"mine", int32_t{7}}};
  const MessageRef letter = Die(MessageOf(parts), "q1", DeathReason::kExpired);
  const Table death = {{"count", int64_t{1}},
                       {"reason", "expired"},
                       {"queue", "q1"},
                       {"time", Timestamp{1'700'000'000}},
                       {"exchange", "x"},
                       {"routing-keys", Array{"key", "cc1", "cc2"}},
                       {"original-expiration", "60000"}};
  EXPECT_EQ(HeadersOf(letter), (Table{{"CC", Array{"cc1", "cc2"}},
                                      {"mine", int32_t{7}},
                                      {"x-death", Array{death}},
                                      {"x-first-death-reason", "expired"},
                                      {"x-first-death-queue", "q1"},
                                      {"x-first-death-exchange", "x"},
                                      {"x-last-death-reason", "expired"},
                                      {"x-last-death-queue", "q1"},
                                      {"x-last-death-exchange", "x"}}));
}

TEST(DeadLetter, DLX_01_ItGoesToTheExchangeWithItsOwnKey) {
  MessageParts parts;
  parts.exchange = "x";
  parts.routing_key = "key";
  const MessageRef letter = Die(MessageOf(parts), "q1");
  EXPECT_EQ(letter->exchange(), "dlx");
  EXPECT_EQ(letter->routing_key(), "key");
}

TEST(DeadLetter, DLX_03_05_ReasonsHaveRabbitMQsNames) {
  const MessageRef message = MessageOf({});
  for (const auto& [reason, name] :
       {std::make_pair(DeathReason::kRejected, "rejected"),
        std::make_pair(DeathReason::kExpired, "expired"),
        std::make_pair(DeathReason::kMaxLength, "maxlen"),
        std::make_pair(DeathReason::kDeliveryLimit, "delivery_limit")}) {
    EXPECT_EQ(Text(Die(message, "q", reason), "x-last-death-reason"), name);
  }
}

TEST(DeadLetter, DLX_04_TheExpirationGoesWhateverTheReason) {
  MessageParts parts;
  parts.expiration = "50";
  const MessageRef letter = Die(MessageOf(parts), "q");
  EXPECT_FALSE(letter->facts().has_expiration);
  EXPECT_FALSE(ScanMessage(letter->encoded(), MessageLimits())->has_expiration);
}

TEST(DeadLetter, DLX_06_AnotherKeyReplacesIt) {
  MessageParts parts;
  parts.routing_key = "old";
  const MessageRef letter =
      Die(MessageOf(parts), "q", DeathReason::kRejected, "new");
  EXPECT_EQ(letter->routing_key(), "new");
  const Table headers = HeadersOf(letter);
  const Table& death = *headers.at("x-death").As<Array>()->at(0).As<Table>();
  EXPECT_EQ(death.at("routing-keys"), Value(Array{"old"}));
}

TEST(DeadLetter, DLX_07_WithAnotherKeySenderKeysGo) {
  MessageParts parts;
  parts.headers = {{"CC", Array{"c"}}, {"BCC", Array{"b"}}};
  const MessageRef kept = Die(MessageOf(parts), "q");
  EXPECT_EQ(HeadersOf(kept).count("CC"), 1u);
  EXPECT_TRUE(kept->facts().has_sender_keys);
  const MessageRef gone =
      Die(MessageOf(parts), "q", DeathReason::kRejected, "new");
  EXPECT_EQ(HeadersOf(gone).count("CC"), 0u);
  EXPECT_EQ(HeadersOf(gone).count("BCC"), 0u);
  EXPECT_FALSE(gone->facts().has_sender_keys);
}

TEST(DeadLetter, DLX_10_TheSameDeathCountsUpAndMovesToTheFront) {
  MessageParts parts;
  parts.exchange = "x";
  parts.routing_key = "k0";
  MessageRef letter = Die(MessageOf(parts), "a");
  letter = Die(letter, "b", DeathReason::kExpired);
  EXPECT_THAT(Deaths(letter), ElementsAre("b expired x1", "a rejected x1"));
  letter = MakeDeadLetter(*letter, DeathReason::kRejected, {"a", "dlx", "k1"},
                          kTime + absl::Seconds(60));
  EXPECT_THAT(Deaths(letter), ElementsAre("a rejected x2", "b expired x1"));
  // Of the first such death.
  const Table headers = HeadersOf(letter);
  const Table& death = *headers.at("x-death").As<Array>()->at(0).As<Table>();
  EXPECT_EQ(death.at("time"), Value(Timestamp{1'700'000'000}));
  EXPECT_EQ(death.at("exchange"), Value("x"));
  EXPECT_EQ(death.at("routing-keys"), Value(Array{"k0"}));
}

TEST(DeadLetter, DLX_11_AnotherReasonIsAnotherEntry) {
  MessageRef letter = Die(MessageOf({}), "a");
  letter = Die(letter, "a", DeathReason::kExpired);
  EXPECT_THAT(Deaths(letter), ElementsAre("a expired x1", "a rejected x1"));
}

// As recorded: dlx-x-death-new-reason.
TEST(DeadLetter, DLX_11_OlderDeathsStandInRabbitMQsOrder) {
  MessageRef letter = Die(MessageOf({}), "a");
  letter = Die(letter, "b");
  letter = Die(letter, "c");
  EXPECT_THAT(Deaths(letter),
              ElementsAre("c rejected x1", "a rejected x1", "b rejected x1"));
  letter = Die(letter, "d");
  EXPECT_THAT(Deaths(letter), ElementsAre("d rejected x1", "b rejected x1",
                                          "a rejected x1", "c rejected x1"));
}

TEST(DeadLetter, DLX_02_TheFirstDeathStaysTheLastOneChanges) {
  MessageRef letter = Die(MessageOf({}), "a", DeathReason::kExpired);
  letter = Die(letter, "b", DeathReason::kMaxLength);
  EXPECT_EQ(Text(letter, "x-first-death-queue"), "a");
  EXPECT_EQ(Text(letter, "x-first-death-reason"), "expired");
  EXPECT_EQ(Text(letter, "x-first-death-exchange"), "");
  EXPECT_EQ(Text(letter, "x-last-death-queue"), "b");
  EXPECT_EQ(Text(letter, "x-last-death-reason"), "maxlen");
  EXPECT_EQ(Text(letter, "x-last-death-exchange"), "dlx");
}

TEST(DeadLetter, DLX_12_ARecordThatAClientSentDoesNotCount) {
  MessageParts parts;
  parts.headers = HeadersOf(Die(Die(MessageOf({}), "q"), "other"));
  const MessageRef sent = MessageOf(parts);
  EXPECT_FALSE(DeathHistory(*sent).IsCycle("q"));
  const MessageRef letter = Die(sent, "q", DeathReason::kExpired);
  EXPECT_THAT(Deaths(letter), ElementsAre("q expired x1"));
  EXPECT_EQ(Text(letter, "x-first-death-reason"), "expired");
  EXPECT_EQ(Text(letter, "x-last-death-queue"), "q");
}

TEST(DeadLetter, DLX_12_WhateverTypeItHas) {
  MessageParts parts;
  parts.headers = {{"x-death", "text"}, {"x-first-death-queue", int32_t{1}}};
  const MessageRef letter = Die(MessageOf(parts), "q");
  EXPECT_THAT(Deaths(letter), ElementsAre("q rejected x1"));
  EXPECT_EQ(Text(letter, "x-first-death-queue"), "q");
}

TEST(DeadLetter, DLX_13_AnAutomaticCircleIsACycle) {
  MessageRef letter = Die(MessageOf({}), "a", DeathReason::kExpired);
  EXPECT_TRUE(DeathHistory(*letter).IsCycle("a"));
  EXPECT_FALSE(DeathHistory(*letter).IsCycle("b"));
  letter = Die(letter, "b", DeathReason::kMaxLength);
  EXPECT_TRUE(DeathHistory(*letter).IsCycle("a"));
  EXPECT_TRUE(DeathHistory(*letter).IsCycle("b"));
}

TEST(DeadLetter, DLX_13_ARejectionOnTheWayBreaksIt) {
  MessageRef letter = Die(MessageOf({}), "a", DeathReason::kExpired);
  letter = Die(letter, "b", DeathReason::kRejected);
  letter = Die(letter, "c", DeathReason::kExpired);
  EXPECT_FALSE(DeathHistory(*letter).IsCycle("a"));
  EXPECT_FALSE(DeathHistory(*letter).IsCycle("b"));
  EXPECT_TRUE(DeathHistory(*letter).IsCycle("c"));
}

// A ladder of retries: work is rejected, then waits in two queues in turn.
TEST(DeadLetter, DLX_13_ALadderOfRetriesNeverIsACycle) {
  MessageRef letter = MessageOf({});
  for (int round = 0; round < 5; ++round) {
    letter = Die(letter, "work", DeathReason::kRejected);
    EXPECT_FALSE(DeathHistory(*letter).IsCycle("wait1"));
    letter = Die(letter, "wait1", DeathReason::kExpired);
    EXPECT_FALSE(DeathHistory(*letter).IsCycle("wait2"));
    letter = Die(letter, "wait2", DeathReason::kExpired);
    EXPECT_FALSE(DeathHistory(*letter).IsCycle("work"));
  }
}

TEST(DeadLetter, DLX_16_AllElseStaysAsItWas) {
  WireWriter out;
  out.Bytes(1, "body").Bytes(3, "text/plain").Varint(5, 2).Varint(6, 9);
  out.Bytes(8, "reply").Varint(11, 12345).Bytes(99, "unknown");
  const MessageRef message = Message::Create(
      "", "q", out.str(), ScanMessage(out.str(), MessageLimits()).value());
  const MessageRef letter = Die(message, "q");
  EXPECT_EQ(letter->encoded().substr(0, out.str().size()), out.str());
  EXPECT_EQ(BodyOf(*letter), "body");
  EXPECT_EQ(letter->facts().priority, 9);  // PRIO-08
  EXPECT_TRUE(letter->facts().persistent);
  EXPECT_EQ(letter->facts().payload_bytes, 4u);
}

TEST(DeadLetter, WhatIsMadeIsAValidMessage) {
  MessageParts parts;
  parts.headers = {{"CC", Array{"c"}}, {"t", Table{{"a", Array{1.5, true}}}}};
  parts.priority = 3;
  MessageRef letter = MessageOf(parts);
  for (const char* queue : {"a", "b", "a", "c"}) letter = Die(letter, queue);
  const auto facts = ScanMessage(letter->encoded(), MessageLimits());
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->has_headers, letter->facts().has_headers);
  EXPECT_EQ(facts->has_sender_keys, letter->facts().has_sender_keys);
  EXPECT_EQ(facts->priority, letter->facts().priority);
}

}  // namespace
}  // namespace kelpmq::service
