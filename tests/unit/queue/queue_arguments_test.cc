#include "service/queue/queue_arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::MetadataOf;
using ::kelpmq::service::testing::ReasonOf;

QueueSpec Spec(Table arguments, bool durable = false) {
  QueueSpec spec;
  spec.name = "q1";
  spec.durable = durable;
  spec.arguments = std::move(arguments);
  return spec;
}

absl::StatusOr<QueueArguments> Parse(Table arguments) {
  return ParseQueueArguments(Spec(std::move(arguments)), "conf");
}

// The error's text after "PRECONDITION_FAILED - ".
std::string Refusal(Table arguments) {
  const absl::Status status = Parse(std::move(arguments)).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(InfoOf(status).amqp_code, 406);
  const std::string prefix = "PRECONDITION_FAILED - ";
  return std::string(status.message()).substr(prefix.size());
}

std::string Invalid(absl::string_view argument, absl::string_view why) {
  return "invalid arg '" + std::string(argument) +
         "' for queue 'q1' in vhost 'conf'" + std::string(why);
}

TEST(QueueName, QNAME_03_ReservedPrefixIsRefused) {
  const absl::Status status = CheckQueueName("amq.mine");
  EXPECT_EQ(ReasonOf(status), "RESERVED_NAME");
  EXPECT_EQ(status.message(),
            "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix "
            "'amq.*'");
}

TEST(QueueName, QNAME_04_AnyUtf8IsAName) {
  EXPECT_TRUE(CheckQueueName("Grünkohl / * # \x01").ok());
  EXPECT_EQ(ReasonOf(CheckQueueName("\xff")), "INVALID_NAME");
}

TEST(QueueName, LIMIT_01_Exactly255BytesWork) {
  EXPECT_TRUE(CheckQueueName(std::string(255, 'x')).ok());
  EXPECT_EQ(ReasonOf(CheckQueueName(std::string(256, 'x'))), "INVALID_NAME");
  EXPECT_EQ(ReasonOf(CheckQueueName("")), "INVALID_NAME");
}

TEST(QueueArguments, QUORUM_09_RetriesAreRead) {
  QueueSpec spec = Spec({{"x-queue-type", "quorum"},
                         {"x-delayed-retry-type", "failed"},
                         {"x-delayed-retry-min", int32_t{5000}},
                         {"x-delayed-retry-max", int32_t{15000}}},
                        /*durable=*/true);
  const auto arguments = ParseQueueArguments(spec, "conf");
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->retry_delay.type, RetryDelay::Type::kFailed);
  EXPECT_EQ(arguments->retry_delay.min, absl::Seconds(5));
  EXPECT_EQ(arguments->retry_delay.max, absl::Seconds(15));
  spec.arguments["x-delayed-retry-type"] = "sometimes";
  EXPECT_EQ(ReasonOf(ParseQueueArguments(spec, "conf").status()),
            "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(Refusal({{"x-delayed-retry-min", int32_t{1}}}),
            Invalid("x-delayed-retry-min",
                    " of queue type "
                    "rabbit_classic_queue"));
}

TEST(QueueArguments, ARGS_01_ValuesAreRead) {
  const auto arguments = Parse({{"x-message-ttl", int32_t{60000}},
                                {"x-expires", int64_t{1800000}},
                                {"x-max-length", int8_t{5}},
                                {"x-max-length-bytes", uint16_t{500}},
                                {"x-overflow", "reject-publish-dlx"},
                                {"x-dead-letter-exchange", ""},
                                {"x-dead-letter-routing-key", "dead"},
                                {"x-max-priority", int32_t{255}},
                                {"x-single-active-consumer", true},
                                {"x-queue-type", "classic"},
                                {"x-queue-mode", "lazy"},
                                {"x-queue-version", int32_t{2}},
                                {"x-consumer-timeout", int32_t{1000}},
                                {"x-unknown", Table{}}});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->message_ttl, absl::Minutes(1));
  EXPECT_EQ(arguments->expires, absl::Minutes(30));
  EXPECT_EQ(arguments->max_length, 5u);
  EXPECT_EQ(arguments->max_length_bytes, 500u);
  EXPECT_EQ(arguments->overflow, Overflow::kRejectPublishDlx);
  EXPECT_EQ(arguments->dead_letter_exchange, "");
  EXPECT_EQ(arguments->dead_letter_routing_key, "dead");
  EXPECT_EQ(arguments->max_priority, 255);
  EXPECT_TRUE(arguments->single_active_consumer);
  EXPECT_EQ(arguments->type, QueueType::kClassic);
  EXPECT_EQ(arguments->consumer_timeout, absl::Seconds(1));
}

TEST(QueueArguments, ARGS_01_NoArgumentsMeanNoLimits) {
  const auto arguments = Parse({});
  ASSERT_TRUE(arguments.ok());
  EXPECT_FALSE(arguments->message_ttl.has_value());
  EXPECT_FALSE(arguments->expires.has_value());
  EXPECT_FALSE(arguments->max_length.has_value());
  EXPECT_FALSE(arguments->max_priority.has_value());
  EXPECT_FALSE(arguments->delivery_limit.has_value());
  EXPECT_EQ(arguments->consumer_timeout, absl::InfiniteDuration());
}

TEST(QueueArguments, ARGS_01_ZeroAndHugeTtlAreAccepted) {
  EXPECT_TRUE(Parse({{"x-message-ttl", int32_t{0}}}).ok());
  EXPECT_EQ(Parse({{"x-message-ttl", int64_t{1} << 33}})->message_ttl,
            absl::Milliseconds(int64_t{1} << 33));
}

TEST(QueueArguments, ARGS_01_TimesEndAfterTenYears) {
  for (const char* argument : {"x-message-ttl", "x-expires"}) {
    EXPECT_TRUE(Parse({{argument, int64_t{315'360'000'000}}}).ok());
    EXPECT_EQ(Refusal({{argument, int64_t{315'360'000'001}}}),
              Invalid(argument, ": {value_too_large,315360000001}"));
  }
}

TEST(QueueArguments, ARGS_01_NegativeNumbersAreRefused) {
  for (const char* argument : {"x-message-ttl", "x-expires", "x-max-length",
                               "x-max-length-bytes", "x-max-priority"}) {
    EXPECT_EQ(Refusal({{argument, int32_t{-1}}}),
              Invalid(argument, ": {value_negative,-1}"));
  }
}

TEST(QueueArguments, ARGS_01_ExpiresZeroIsRefused) {
  EXPECT_EQ(Refusal({{"x-expires", int32_t{0}}}),
            Invalid("x-expires", ": {value_zero,0}"));
}

TEST(QueueArguments, ARGS_01_NonIntegersAreRefused) {
  EXPECT_EQ(Refusal({{"x-message-ttl", "1000"}}),
            Invalid("x-message-ttl", ": \"expected integer, got longstr\""));
  EXPECT_EQ(Refusal({{"x-max-length", true}}),
            Invalid("x-max-length", ": \"expected integer, got bool\""));
}

TEST(QueueArguments, ARGS_01_PriorityAbove255IsRefused) {
  EXPECT_EQ(Refusal({{"x-max-priority", int32_t{256}}}),
            Invalid("x-max-priority", ": {max_value_exceeded,256}"));
}

TEST(QueueArguments, ARGS_01_UnknownChoicesAreRefused) {
  EXPECT_EQ(Refusal({{"x-overflow", "bogus"}}),
            Invalid("x-overflow", ": invalid_overflow"));
  EXPECT_EQ(Refusal({{"x-queue-mode", "bogus"}}),
            Invalid("x-queue-mode", ": invalid_queue_mode"));
  EXPECT_EQ(Refusal({{"x-queue-type", "bogus"}}),
            Invalid("x-queue-type", ": \"unsupported queue type 'bogus'\""));
  EXPECT_EQ(Refusal({{"x-queue-version", int32_t{3}}}),
            Invalid("x-queue-version", ": \"unsupported queue version '3'\""));
}

TEST(QueueArguments, ARGS_01_WrongTypesAreRefused) {
  EXPECT_EQ(Refusal({{"x-overflow", int32_t{3}}}),
            Invalid("x-overflow", ": {unacceptable_type,signedint}"));
  EXPECT_EQ(
      Refusal({{"x-single-active-consumer", "true"}}),
      Invalid("x-single-active-consumer", ": {unacceptable_type,longstr}"));
  EXPECT_EQ(Refusal({{"x-dead-letter-exchange", int32_t{3}}}),
            "invalid type 'signedint' for arg 'x-dead-letter-exchange' in "
            "queue 'q1' in vhost 'conf'");
}

TEST(QueueArguments, ARGS_01_DeadLetterKeyNeedsAnExchange) {
  EXPECT_EQ(
      Refusal({{"x-dead-letter-routing-key", "k"}}),
      Invalid("x-dead-letter-routing-key", ": routing_key_but_no_dlx_defined"));
}

TEST(QueueArguments, ARGS_01_ErrorsNameTheArgument) {
  const absl::Status status = Parse({{"x-expires", int32_t{0}}}).status();
  EXPECT_EQ(MetadataOf(status, "argument"), "x-expires");
  EXPECT_EQ(MetadataOf(status, "queue"), "q1");
  EXPECT_EQ(MetadataOf(status, "vhost"), "conf");
}

TEST(QueueArguments, ARGS_01_StreamsAreUnsupported) {
  EXPECT_EQ(ReasonOf(Parse({{"x-queue-type", "stream"}})),
            "FEATURE_UNSUPPORTED");
}

TEST(QueueArguments, ARGS_02_ClassicRefusesQuorumArguments) {
  EXPECT_EQ(Refusal({{"x-delivery-limit", int32_t{3}}}),
            Invalid("x-delivery-limit", " of queue type rabbit_classic_queue"));
  EXPECT_EQ(
      Refusal({{"x-dead-letter-strategy", "at-least-once"}}),
      Invalid("x-dead-letter-strategy", " of queue type rabbit_classic_queue"));
}

TEST(QueueArguments, ARGS_02_OnlyStreamsTakeTheirArguments) {
  for (const char* argument : {"x-max-age", "x-stream-max-segment-size-bytes",
                               "x-initial-cluster-size"}) {
    EXPECT_EQ(Refusal({{argument, int32_t{1}}}),
              Invalid(argument, " of queue type rabbit_classic_queue"));
    const auto quorum = ParseQueueArguments(
        Spec({{"x-queue-type", "quorum"}, {argument, int32_t{1}}},
             /*durable=*/true),
        "conf");
    EXPECT_EQ(ReasonOf(quorum), "INVALID_ARGUMENT_VALUE") << argument;
  }
}

TEST(QueueArguments, ARGS_02_QuorumRefusesQueueMode) {
  const auto result = ParseQueueArguments(
      Spec({{"x-queue-type", "quorum"}, {"x-queue-mode", "lazy"}},
           /*durable=*/true),
      "conf");
  EXPECT_EQ(result.status().message(),
            "PRECONDITION_FAILED - " +
                Invalid("x-queue-mode", " of queue type rabbit_quorum_queue"));
}

TEST(QueueArguments, ARGS_02_QuorumPassesOverMaxPriority) {
  const auto result = ParseQueueArguments(
      Spec({{"x-queue-type", "quorum"}, {"x-max-priority", int32_t{5}}},
           /*durable=*/true),
      "conf");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->max_priority.has_value());
}

TEST(QueueArguments, QUORUM_01_PropertiesAreChecked) {
  const auto refusal = [](bool durable, bool exclusive, bool auto_delete) {
    QueueSpec spec = Spec({{"x-queue-type", "quorum"}}, durable);
    spec.exclusive = exclusive;
    spec.auto_delete = auto_delete;
    return std::string(ParseQueueArguments(spec, "conf").status().message());
  };
  const std::string end = " for queue 'q1' in vhost 'conf'";
  EXPECT_EQ(refusal(true, false, false), "");
  EXPECT_EQ(refusal(false, false, false),
            "PRECONDITION_FAILED - invalid property 'non-durable'" + end);
  EXPECT_EQ(refusal(true, true, false),
            "PRECONDITION_FAILED - invalid property 'exclusive-owner'" + end);
  EXPECT_EQ(refusal(true, false, true),
            "PRECONDITION_FAILED - invalid property 'auto-delete'" + end);
}

TEST(QueueArguments, QUORUM_01_BadStrategyIsRefused) {
  const auto result = ParseQueueArguments(
      Spec({{"x-queue-type", "quorum"}, {"x-dead-letter-strategy", "zz"}},
           /*durable=*/true),
      "conf");
  EXPECT_EQ(result.status().message(),
            "PRECONDITION_FAILED - " +
                Invalid("x-dead-letter-strategy", ": invalid_dlx_strategy"));
}

TEST(QueueArguments, ARGS_01_ADeadLetterKeyIsARoutingKey) {
  const auto parse = [](Value key) {
    return ParseQueueArguments(Spec({{"x-dead-letter-exchange", ""},
                                     {"x-dead-letter-routing-key", key}}),
                               "conf");
  };
  EXPECT_TRUE(parse(std::string(255, 'k')).ok());
  EXPECT_EQ(ReasonOf(parse(std::string(256, 'k'))), "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(ReasonOf(parse(RawString{"\xff"})), "INVALID_ARGUMENT_VALUE");
}

TEST(QueueArguments, QUORUM_03_NegativeDeliveryLimitMeansNone) {
  const auto limit = [](Table more) {
    more.emplace("x-queue-type", "quorum");
    return DeliveryLimitOf(
        *ParseQueueArguments(Spec(std::move(more), /*durable=*/true), "conf"));
  };
  EXPECT_EQ(limit({{"x-delivery-limit", int32_t{3}}}), 3u);
  EXPECT_EQ(limit({{"x-delivery-limit", int32_t{0}}}), 0u);
  EXPECT_EQ(limit({{"x-delivery-limit", int32_t{-1}}}), std::nullopt);
  EXPECT_EQ(limit({}), 20u);
  EXPECT_EQ(DeliveryLimitOf(QueueArguments()), std::nullopt);
}

std::string Difference(Table current, Table received) {
  const absl::Status status =
      CheckEquivalent(Spec(std::move(current)), Spec(std::move(received)), "c");
  if (status.ok()) return "";
  EXPECT_EQ(ReasonOf(status), "INEQUIVALENT_ARGUMENT");
  return std::string(status.message());
}

TEST(Equivalence, QDECL_02_FlagsAreCompared) {
  QueueSpec current = Spec({}, /*durable=*/true);
  QueueSpec received = Spec({}, /*durable=*/false);
  const absl::Status durable = CheckEquivalent(current, received, "conf");
  EXPECT_EQ(durable.message(),
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q1' "
            "in vhost 'conf': received 'false' but current is 'true'");
  EXPECT_EQ(MetadataOf(durable, "argument"), "durable");
  received.durable = true;
  received.auto_delete = true;
  EXPECT_EQ(CheckEquivalent(current, received, "conf").message(),
            "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue "
            "'q1' in vhost 'conf': received 'true' but current is 'false'");
}

TEST(Equivalence, QDECL_02_OtherExclusiveFlagIsLocked) {
  QueueSpec received = Spec({}, /*durable=*/true);
  received.exclusive = true;
  const absl::Status status = CheckEquivalent(Spec({}), received, "conf");
  EXPECT_EQ(ReasonOf(status), "RESOURCE_LOCKED");
  EXPECT_EQ(status.message(),
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue "
            "'q1' in vhost 'conf'. It could be originally declared on another "
            "connection or the exclusive property value does not match that "
            "of the original declaration.");
}

TEST(Equivalence, QDECL_02_ExclusiveQueuesAreNeverDurable) {
  QueueSpec spec = Spec({}, /*durable=*/true);
  spec.exclusive = true;
  NormalizeQueueSpec(&spec);
  EXPECT_FALSE(spec.durable);
}

TEST(Equivalence, QDECL_02_ValuesAreCompared) {
  EXPECT_EQ(Difference({{"x-message-ttl", int32_t{60000}}},
                       {{"x-message-ttl", int32_t{50000}}}),
            "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue "
            "'q1' in vhost 'c': received '50000' but current is '60000'");
  EXPECT_EQ(Difference({{"x-dead-letter-exchange", "d1"}},
                       {{"x-dead-letter-exchange", "d2"}}),
            "PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' "
            "for queue 'q1' in vhost 'c': received 'd2' but current is 'd1'");
}

TEST(Equivalence, QDECL_02_MissingArgumentsAreCompared) {
  EXPECT_EQ(Difference({{"x-message-ttl", int32_t{60000}}}, {}),
            "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue "
            "'q1' in vhost 'c': received none but current is the value '60000' "
            "of type 'signedint'");
  EXPECT_EQ(Difference({}, {{"x-queue-type", "quorum"}}),
            "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue "
            "'q1' in vhost 'c': received the value 'quorum' of type 'longstr' "
            "but current is none");
}

TEST(Equivalence, QDECL_02_EachKnownArgumentIsCompared) {
  for (const char* argument :
       {"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes",
        "x-overflow", "x-max-priority", "x-dead-letter-exchange",
        "x-dead-letter-routing-key", "x-queue-mode", "x-single-active-consumer",
        "x-queue-type", "x-queue-version", "x-delivery-limit",
        "x-dead-letter-strategy", "x-quorum-initial-group-size"}) {
    EXPECT_NE(Difference({{argument, "a"}}, {{argument, "b"}}), "") << argument;
    EXPECT_NE(Difference({{argument, int32_t{1}}}, {{argument, "1"}}), "")
        << argument;
  }
}

TEST(Equivalence, QDECL_02_IntegersCompareByValue) {
  EXPECT_EQ(
      Difference({{"x-expires", int32_t{200}}}, {{"x-expires", uint8_t{200}}}),
      "");
  EXPECT_EQ(
      Difference({{"x-expires", int64_t{200}}}, {{"x-expires", int16_t{200}}}),
      "");
}

TEST(Equivalence, QDECL_02_TimestampsAndByteArraysCompareByValue) {
  EXPECT_EQ(Difference({{"x-expires", int32_t{200}}},
                       {{"x-expires", Timestamp{200}}}),
            "");
  EXPECT_NE(Difference({{"x-expires", int32_t{200}}},
                       {{"x-expires", Timestamp{201}}}),
            "");
  EXPECT_EQ(Difference({{"x-overflow", "drop-head"}},
                       {{"x-overflow", Bytes{"drop-head"}}}),
            "");
  EXPECT_NE(Difference({{"x-overflow", "drop-head"}},
                       {{"x-overflow", Bytes{"reject-publish"}}}),
            "");
}

TEST(Equivalence, QDECL_02_ExplicitClassicEqualsNone) {
  EXPECT_EQ(Difference({}, {{"x-queue-type", "classic"}}), "");
  EXPECT_EQ(Difference({{"x-queue-type", "classic"}}, {}), "");
}

TEST(Equivalence, QDECL_02_UnknownArgumentsAreNotCompared) {
  EXPECT_EQ(Difference({{"x-mine", "a"}}, {{"x-mine", int32_t{7}}}), "");
  EXPECT_EQ(Difference({{"x-consumer-timeout", int32_t{1}}}, {}), "");
}

TEST(ConsumerPriority, PRIOC_01_ArgumentAndFieldAreOne) {
  const auto priority = [](int32_t field, Table arguments) {
    return ConsumerPriority(field, arguments, "q1", "conf");
  };
  EXPECT_EQ(*priority(0, {}), 0);
  EXPECT_EQ(*priority(-3, {}), -3);
  EXPECT_EQ(*priority(0, {{"x-priority", int8_t{-5}}}), -5);
  EXPECT_EQ(*priority(7, {{"x-priority", int64_t{7}}}), 7);
  EXPECT_EQ(*priority(0, {{"x-priority", int64_t{1} << 40}}), int64_t{1} << 40);
  EXPECT_EQ(ReasonOf(priority(7, {{"x-priority", int32_t{8}}})),
            "CONFLICTING_ARGUMENT");
}

TEST(ConsumerPriority, PRIOC_02_NonIntegerIsRefused) {
  const auto result =
      ConsumerPriority(0, {{"x-priority", "high"}}, "q1", "conf");
  EXPECT_EQ(ReasonOf(result), "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(result.status().message(),
            "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q1' in "
            "vhost 'conf': \"expected integer, got longstr\"");
}

}  // namespace
}  // namespace kelpmq::service
