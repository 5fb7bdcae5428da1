#include "service/rpc/convert.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "service/base/error.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::kelpmq::service::testing::MetadataOf;
using ::kelpmq::service::testing::ReasonOf;
using ::testing::HasSubstr;

// ---- Values ----

struct Kind {
  const char* name;
  Value value;
  v1::Value::KindCase kind;
};

class EveryValueKind : public ::testing::TestWithParam<Kind> {};

TEST_P(EveryValueKind, RoundTripsExactly) {
  const v1::Value proto = FromValue(GetParam().value);
  EXPECT_EQ(proto.kind_case(), GetParam().kind);
  // Over the wire as well: what a client gets back is what it sent.
  v1::Value parsed;
  ASSERT_TRUE(parsed.ParseFromString(proto.SerializeAsString()));
  auto back = ToValue(parsed);
  ASSERT_EQ(ReasonOf(back), "OK");
  EXPECT_EQ(*back, GetParam().value);
  EXPECT_TRUE(MessageDifferencer::Equals(FromValue(*back), proto));
}

template <typename T>
T Lowest() {
  return std::numeric_limits<T>::lowest();
}
template <typename T>
T Highest() {
  return std::numeric_limits<T>::max();
}

INSTANTIATE_TEST_SUITE_P(
    Convert, EveryValueKind,
    ::testing::Values(
        Kind{"String", "grüße", v1::Value::kStringValue},
        Kind{"EmptyString", "", v1::Value::kStringValue},
        Kind{"RawString", RawString{"\xff\xfe"}, v1::Value::kRawStringValue},
        Kind{"Bytes", Bytes{std::string("\0\x80", 2)}, v1::Value::kBytesValue},
        Kind{"True", true, v1::Value::kBoolValue},
        Kind{"False", false, v1::Value::kBoolValue},
        Kind{"Int8Low", Lowest<int8_t>(), v1::Value::kInt8Value},
        Kind{"Int8High", Highest<int8_t>(), v1::Value::kInt8Value},
        Kind{"Uint8", Highest<uint8_t>(), v1::Value::kUint8Value},
        Kind{"Int16Low", Lowest<int16_t>(), v1::Value::kInt16Value},
        Kind{"Int16High", Highest<int16_t>(), v1::Value::kInt16Value},
        Kind{"Uint16", Highest<uint16_t>(), v1::Value::kUint16Value},
        Kind{"Int32Low", Lowest<int32_t>(), v1::Value::kInt32Value},
        Kind{"Int32High", Highest<int32_t>(), v1::Value::kInt32Value},
        Kind{"Uint32", Highest<uint32_t>(), v1::Value::kUint32Value},
        Kind{"Int64Low", Lowest<int64_t>(), v1::Value::kInt64Value},
        Kind{"Int64High", Highest<int64_t>(), v1::Value::kInt64Value},
        Kind{"Float", 1.5f, v1::Value::kFloatValue},
        Kind{"Double", Lowest<double>(), v1::Value::kDoubleValue},
        Kind{"Decimal", Decimal{255, Highest<uint32_t>()},
             v1::Value::kDecimalValue},
        Kind{"Timestamp", Timestamp{Highest<uint64_t>()},
             v1::Value::kTimestampValue},
        Kind{"Table", Table{{"a", Table{{"", int8_t{1}}}}, {"b", Void{}}},
             v1::Value::kTableValue},
        Kind{"EmptyTable", Table{}, v1::Value::kTableValue},
        Kind{"Array", Array{int64_t{1}, "two", Array{}},
             v1::Value::kArrayValue},
        Kind{"Null", Void{}, v1::Value::kNullValue}),
    [](const ::testing::TestParamInfo<Kind>& param) {
      return std::string(param.param.name);
    });

TEST(Convert, ANumberOutsideItsWidthIsInvalid) {
  const auto invalid = [](auto set) {
    v1::Value value;
    set(&value);
    return ReasonOf(ToValue(value)) == "INVALID_VALUE";
  };
  EXPECT_TRUE(invalid([](v1::Value* v) { v->set_int8_value(128); }));
  EXPECT_TRUE(invalid([](v1::Value* v) { v->set_int8_value(-129); }));
  EXPECT_TRUE(invalid([](v1::Value* v) { v->set_uint8_value(256); }));
  EXPECT_TRUE(invalid([](v1::Value* v) { v->set_int16_value(32768); }));
  EXPECT_TRUE(invalid([](v1::Value* v) { v->set_int16_value(-32769); }));
  EXPECT_TRUE(invalid([](v1::Value* v) { v->set_uint16_value(65536); }));
  EXPECT_TRUE(invalid(
      [](v1::Value* v) { v->mutable_decimal_value()->set_scale(256); }));
}

TEST(Convert, AValueWithoutKindIsInvalidAtAnyDepth) {
  EXPECT_EQ(ReasonOf(ToValue(v1::Value())), "INVALID_VALUE");
  v1::Value array;
  array.mutable_array_value()->add_values();
  EXPECT_EQ(ReasonOf(ToValue(array)), "INVALID_VALUE");
  v1::Table table;
  (*table.mutable_fields())["a"];
  EXPECT_EQ(ReasonOf(ToTable(table.fields())), "INVALID_VALUE");
}

// A table in a table and so on; the innermost is empty.
v1::Value NestedTables(int depth) {
  v1::Value value;
  value.mutable_table_value();
  for (int i = 1; i < depth; ++i) {
    v1::Value outer;
    (*outer.mutable_table_value()->mutable_fields())["a"] = value;
    value = std::move(outer);
  }
  return value;
}

TEST(Convert, ValuesNestSixteenDeepAndNoDeeper) {
  v1::Table table;
  (*table.mutable_fields())["a"] = NestedTables(16);
  EXPECT_EQ(ReasonOf(ToTable(table.fields())), "OK");
  (*table.mutable_fields())["a"] = NestedTables(17);
  EXPECT_EQ(ReasonOf(ToTable(table.fields())), "HEADERS_TOO_LARGE");
}

TEST(Convert, KeysHaveAtMost255Bytes) {
  v1::Table table;
  (*table.mutable_fields())[std::string(255, 'k')].set_bool_value(true);
  EXPECT_EQ(ReasonOf(ToTable(table.fields())), "OK");
  (*table.mutable_fields())[std::string(256, 'k')].set_bool_value(true);
  EXPECT_EQ(ReasonOf(ToTable(table.fields())), "HEADERS_TOO_LARGE");
}

TEST(Convert, ATableHasAtMost64Kibibytes) {
  v1::Table table;
  (*table.mutable_fields())["k"].set_bytes_value(std::string(65000, 'v'));
  EXPECT_EQ(ReasonOf(ToTable(table.fields())), "OK");
  (*table.mutable_fields())["l"].set_bytes_value(std::string(600, 'v'));
  EXPECT_EQ(ReasonOf(ToTable(table.fields())), "HEADERS_TOO_LARGE");
}

// ---- Names, times, ranges ----

TEST(Convert, LIMIT_01_NamesHaveAtMost255Bytes) {
  EXPECT_EQ(ReasonOf(CheckName("queue", "")), "OK");
  EXPECT_EQ(ReasonOf(CheckName("queue", std::string(255, 'q'))), "OK");
  const absl::Status status = CheckName("queue", std::string(256, 'q'));
  EXPECT_EQ(ReasonOf(status), "INVALID_NAME");
  EXPECT_EQ(MetadataOf(status, "argument"), "queue");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the name of the queue has 256 bytes"));
  EXPECT_THAT(
      std::string(CheckName("routing_key", std::string(256, 'k')).message()),
      HasSubstr("the routing_key has 256 bytes"));
}

TEST(Convert, TagRangesRun) {
  const auto reason = [](uint64_t first, uint64_t last) {
    v1::TagRange range;
    range.set_first(first);
    range.set_last(last);
    return ReasonOf(CheckTagRange(range));
  };
  EXPECT_EQ(reason(1, 1), "OK");
  EXPECT_EQ(reason(2, 9), "OK");
  EXPECT_EQ(reason(9, 2), "INVALID_VALUE");
  EXPECT_EQ(reason(0, 2), "INVALID_VALUE");
}

constexpr DurationBounds kBounds = {absl::Seconds(30), absl::Seconds(5),
                                    absl::Hours(1)};

TEST(Convert, DurationsAreDefaultedAndBounded) {
  const auto convert = [](int64_t seconds, int32_t nanos) {
    google::protobuf::Duration duration;
    duration.set_seconds(seconds);
    duration.set_nanos(nanos);
    return ToDuration("ttl", duration, kBounds);
  };
  EXPECT_EQ(*convert(0, 0), absl::Seconds(30));
  EXPECT_EQ(*convert(5, 0), absl::Seconds(5));
  EXPECT_EQ(*convert(7, 500'000'000), absl::Milliseconds(7500));
  EXPECT_EQ(*convert(3600, 0), absl::Hours(1));
  for (const auto& [seconds, nanos] : std::vector<std::pair<int64_t, int32_t>>{
           {4, 999'999'999},
           {3600, 1},
           {0, 1},
           {-1, 0},
           {0, -1},
           {7, 1'000'000'000},
           {std::numeric_limits<int64_t>::max(), 0}}) {
    EXPECT_EQ(ReasonOf(convert(seconds, nanos)), "INVALID_VALUE")
        << seconds << " " << nanos;
  }
}

TEST(Convert, DurationsAndTimesRoundTrip) {
  const absl::Duration duration = absl::Seconds(7) + absl::Nanoseconds(3);
  EXPECT_EQ(*ToDuration("ttl", FromDuration(duration), kBounds), duration);
  for (const absl::Time time : {absl::FromUnixNanos(1'700'000'000'123'456'789),
                                absl::UnixEpoch(), absl::FromUnixNanos(-1)}) {
    EXPECT_EQ(*ToTime("deliver_time", FromTime(time)), time);
  }
}

TEST(Convert, TimesBeyondTimestampBecomeItsEnds) {
  EXPECT_EQ(FromTime(absl::InfiniteFuture()).seconds(), 253'402'300'799);
  EXPECT_EQ(FromTime(absl::InfinitePast()).seconds(), -62'135'596'800);
  google::protobuf::Timestamp beyond;
  beyond.set_seconds(253'402'300'800);
  EXPECT_EQ(ReasonOf(ToTime("deliver_time", beyond)), "INVALID_VALUE");
}

// ---- Errors ----

TEST(Convert, OperationErrorSaysWhatTheStatusSays) {
  const v1::OperationError error = ToOperationError(
      MakeError(Reason::kQueueNotFound, "no queue 'q' in vhost '/'",
                {{"queue", "q"}, {"vhost", "/"}}));
  EXPECT_EQ(error.code(), 5);  // NOT_FOUND
  EXPECT_EQ(error.reason(), "QUEUE_NOT_FOUND");
  EXPECT_EQ(error.message(), "NOT_FOUND - no queue 'q' in vhost '/'");
  EXPECT_EQ(error.amqp_code(), 404u);
  EXPECT_EQ(error.metadata().at("queue"), "q");
  EXPECT_EQ(error.metadata().at("vhost"), "/");
  EXPECT_EQ(error.metadata().at("amqp_code"), "404");
  EXPECT_EQ(error.metadata().at("amqp_name"), "NOT_FOUND");
}

// ---- Options ----

v1::QueueOptions AllOptions() {
  v1::QueueOptions options;
  options.set_message_ttl_ms(0);
  options.set_expires_ms(1);
  options.set_max_length(2);
  options.set_max_length_bytes(3);
  options.set_overflow("reject-publish");
  options.set_dead_letter_exchange("");
  options.set_dead_letter_routing_key("dead");
  options.set_max_priority(4);
  options.set_single_active_consumer(true);
  options.set_queue_type("classic");
  options.set_delivery_limit(5);
  options.set_consumer_timeout_ms(6);
  return options;
}

TEST(Convert, OptionsAreStoredUnderTheirKeys) {
  Table arguments;
  ASSERT_EQ(ReasonOf(AddOptions(AllOptions(), &arguments)), "OK");
  const Table expected = {{"x-message-ttl", int64_t{0}},
                          {"x-expires", int64_t{1}},
                          {"x-max-length", int64_t{2}},
                          {"x-max-length-bytes", int64_t{3}},
                          {"x-overflow", "reject-publish"},
                          {"x-dead-letter-exchange", ""},
                          {"x-dead-letter-routing-key", "dead"},
                          {"x-max-priority", int64_t{4}},
                          {"x-single-active-consumer", true},
                          {"x-queue-type", "classic"},
                          {"x-delivery-limit", int64_t{5}},
                          {"x-consumer-timeout", int64_t{6}}};
  EXPECT_EQ(arguments, expected);
}

TEST(Convert, OptionsAreReadBackFromArguments) {
  Table arguments;
  ASSERT_EQ(ReasonOf(AddOptions(AllOptions(), &arguments)), "OK");
  EXPECT_TRUE(MessageDifferencer::Equals(OptionsOf(arguments), AllOptions()));
}

TEST(Convert, UnsetOptionsAddNothing) {
  Table arguments;
  ASSERT_EQ(ReasonOf(AddOptions(v1::QueueOptions(), &arguments)), "OK");
  EXPECT_EQ(arguments, Table());
  EXPECT_TRUE(
      MessageDifferencer::Equals(OptionsOf(Table()), v1::QueueOptions()));
}

TEST(Convert, AnEqualArgumentKeepsItsType) {
  v1::QueueOptions options;
  options.set_max_length(7);
  options.set_overflow("drop-head");
  const Table given = {{"x-max-length", int16_t{7}},
                       {"x-overflow", "drop-head"}};
  Table arguments = given;
  EXPECT_EQ(ReasonOf(AddOptions(options, &arguments)), "OK");
  EXPECT_EQ(arguments, given);
}

TEST(Convert, ADifferentArgumentConflicts) {
  v1::QueueOptions options;
  options.set_max_length(7);
  for (const Value& other : {Value(int64_t{8}), Value("7"), Value(7.0)}) {
    Table arguments = {{"x-max-length", other}};
    const absl::Status status = AddOptions(options, &arguments);
    EXPECT_EQ(ReasonOf(status), "CONFLICTING_ARGUMENT");
    EXPECT_EQ(MetadataOf(status, "argument"), "x-max-length");
  }
}

TEST(Convert, AnOptionBeyondAmqpsIntegersIsInvalid) {
  v1::QueueOptions options;
  options.set_max_length(uint64_t{1} << 63);
  Table arguments;
  EXPECT_EQ(ReasonOf(AddOptions(options, &arguments)), "INVALID_VALUE");
}

TEST(Convert, ArgumentsThatNoOptionCanExpressAreNoOptions) {
  const Table arguments = {{"x-max-length", "7"},
                           {"x-expires", int64_t{-1}},
                           {"x-max-priority", int64_t{1} << 40},
                           {"x-overflow", RawString{"\xff"}},
                           {"x-single-active-consumer", int8_t{1}}};
  EXPECT_TRUE(
      MessageDifferencer::Equals(OptionsOf(arguments), v1::QueueOptions()));
}

TEST(Convert, AlternateExchangeIsAnOptionToo) {
  v1::DeclareExchangeRequest request;
  request.set_alternate_exchange("fallback");
  auto spec = ToExchangeSpec(request);
  ASSERT_EQ(ReasonOf(spec), "OK");
  EXPECT_EQ(spec->type, "direct");
  EXPECT_EQ(spec->arguments, Table({{"alternate-exchange", "fallback"}}));
  EXPECT_EQ(FromExchange("/", {*spec}).alternate_exchange(), "fallback");
  (*request.mutable_arguments())["alternate-exchange"].set_string_value("x");
  EXPECT_EQ(ReasonOf(ToExchangeSpec(request)), "CONFLICTING_ARGUMENT");
}

TEST(Convert, QDECL_03_OfAPassiveDeclareOnlyTheNameCounts) {
  v1::DeclareQueueRequest request;
  request.set_name("q");
  request.set_passive(true);
  request.set_exclusive(true);
  (*request.mutable_arguments())["no kind"];
  auto spec = ToQueueSpec(request);
  ASSERT_EQ(ReasonOf(spec), "OK");
  EXPECT_EQ(spec->name, "q");
  EXPECT_FALSE(spec->exclusive);
}

TEST(Convert, QueueReplyFillsOptionsAndArguments) {
  QueueInfo info;
  info.spec.name = "q";
  info.spec.durable = true;
  info.spec.arguments = {{"x-max-length", int32_t{9}}, {"vendor", Void{}}};
  info.messages_ready = 1;
  info.messages_unacked = 2;
  info.message_bytes = 3;
  info.consumer_count = 4;
  info.idle_since = absl::FromUnixSeconds(5);
  const v1::Queue queue = FromQueue("/", info, "billing");
  EXPECT_EQ(queue.vhost(), "/");
  EXPECT_EQ(queue.name(), "q");
  EXPECT_TRUE(queue.durable());
  EXPECT_EQ(queue.options().max_length(), 9u);
  EXPECT_EQ(queue.arguments().at("x-max-length").int32_value(), 9);
  EXPECT_TRUE(queue.arguments().at("vendor").has_null_value());
  EXPECT_EQ(queue.messages_ready(), 1u);
  EXPECT_EQ(queue.messages_unacked(), 2u);
  EXPECT_EQ(queue.message_bytes(), 3u);
  EXPECT_EQ(queue.consumer_count(), 4u);
  EXPECT_EQ(queue.owner_client(), "billing");
  EXPECT_EQ(queue.idle_since().seconds(), 5);
  info.idle_since = absl::InfinitePast();
  EXPECT_FALSE(FromQueue("/", info, "").has_idle_since());
}

// ---- Properties keys ----

TEST(Convert, PropertiesKeyIsTheRoutingKeyWithoutArguments) {
  EXPECT_EQ(PropertiesKey("order.created", {}), "order.created");
  EXPECT_EQ(PropertiesKey("", {}), "~");
  EXPECT_EQ(PropertiesKey("a/b~*#", {}), "a%2fb%7e%2a%23");
}

TEST(Convert, BIND_03_PropertiesKeyTellsArgumentsApartByTheirTypes) {
  const std::string narrow = PropertiesKey("k", {{"a", int32_t{1}}});
  const std::string wide = PropertiesKey("k", {{"a", int64_t{1}}});
  EXPECT_NE(narrow, wide);
  EXPECT_EQ(narrow.substr(0, 2), "k~");
  EXPECT_EQ(PropertiesKey("k", {{"a", int32_t{1}}, {"b", "2"}}),
            PropertiesKey("k", {{"b", "2"}, {"a", int32_t{1}}}));
}

}  // namespace
}  // namespace kelpmq::service
