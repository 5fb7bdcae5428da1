#include "service/rpc/publish_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kelpmq/v1/messaging.pb.h"
#include "service/base/error.h"
#include "tests/testing/generic_client.h"
#include "tests/testing/message_encoder.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::BytesOf;
using ::kelpmq::service::testing::ReasonOf;
using ::kelpmq::service::testing::WireWriter;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

PublishLimits SmallLimits() {
  PublishLimits limits;
  limits.message.max_message_bytes = 1000;
  return limits;
}

absl::StatusOr<PublishRequestData> DecodeOne(const std::string& bytes) {
  return DecodePublishRequest(BytesOf(bytes), SmallLimits());
}
absl::StatusOr<PublishRequestData> DecodeBatch(const std::string& bytes) {
  return DecodePublishBatch(BytesOf(bytes), SmallLimits());
}

std::vector<uint32_t> IndexesOf(const std::vector<PublishFailure>& failures) {
  std::vector<uint32_t> indexes;
  for (const PublishFailure& failure : failures) {
    indexes.push_back(failure.index);
  }
  return indexes;
}

v1::Message SampleMessage() {
  v1::Message message;
  message.set_body("body");
  (*message.mutable_headers())["h"].set_string_value("v");
  message.set_delivery_mode(v1::DELIVERY_MODE_PERSISTENT);
  message.set_priority(4);
  message.set_expiration("500");
  return message;
}

// ---- One message ----

TEST(PublishRequest, SaysAllThatTheRequestDoes) {
  v1::PublishRequest request;
  request.set_vhost("v");
  request.set_exchange("x");
  request.set_routing_key("k");
  *request.mutable_message() = SampleMessage();
  request.set_mandatory(true);
  request.set_producer_id("p");
  request.set_sequence(77);
  request.mutable_deliver_time()->set_seconds(1'700'000'000);
  request.mutable_deliver_time()->set_nanos(5);
  auto decoded = DecodeOne(request.SerializeAsString());
  ASSERT_EQ(ReasonOf(decoded), "OK");
  EXPECT_EQ(decoded->vhost, "v");
  EXPECT_EQ(decoded->producer_id, "p");
  EXPECT_EQ(decoded->sequence, 77u);
  ASSERT_THAT(decoded->items, SizeIs(1));
  EXPECT_THAT(decoded->item_index, ElementsAre(0));
  EXPECT_EQ(decoded->item_count, 1u);
  const PublishItem& item = decoded->items[0];
  EXPECT_EQ(item.message->exchange(), "x");
  EXPECT_EQ(item.message->routing_key(), "k");
  EXPECT_EQ(item.message->encoded(), request.message().SerializeAsString());
  EXPECT_TRUE(item.mandatory);
  EXPECT_EQ(item.deliver_time,
            absl::FromUnixSeconds(1'700'000'000) + absl::Nanoseconds(5));
  EXPECT_TRUE(item.message->facts().persistent);
  EXPECT_EQ(item.message->facts().priority, 4);
  EXPECT_EQ(item.message->facts().expiration_ms, 500u);
  EXPECT_EQ(item.message->facts().payload_bytes, 4u);
}

TEST(PublishRequest, AnEmptyRequestIsAnEmptyMessageToTheDefaultExchange) {
  auto decoded = DecodeOne("");
  ASSERT_EQ(ReasonOf(decoded), "OK");
  ASSERT_THAT(decoded->items, SizeIs(1));
  EXPECT_EQ(decoded->items[0].message->encoded(), "");
  EXPECT_FALSE(decoded->items[0].mandatory);
  EXPECT_EQ(decoded->items[0].deliver_time, absl::InfinitePast());
}

TEST(PublishRequest, AMessageInSeveralPartsIsJoined) {
  v1::Message first;
  first.set_body("first");
  v1::Message second;
  second.set_content_type("text/plain");
  v1::Message third;
  third.set_body("third");
  const std::string bytes = WireWriter()
                                .Bytes(4, first.SerializeAsString())
                                .Bytes(3, "k")
                                .Bytes(4, second.SerializeAsString())
                                .Bytes(4, third.SerializeAsString())
                                .str();
  auto decoded = DecodeOne(bytes);
  ASSERT_EQ(ReasonOf(decoded), "OK");
  const Message& message = *decoded->items[0].message;
  EXPECT_EQ(message.encoded(), first.SerializeAsString() +
                                   second.SerializeAsString() +
                                   third.SerializeAsString());
  EXPECT_EQ(message.facts().payload_bytes, 5u);
  v1::PublishRequest parsed;
  ASSERT_TRUE(parsed.ParseFromString(bytes));
  v1::Message delivered;
  ASSERT_TRUE(delivered.ParseFromString(std::string(message.encoded())));
  EXPECT_EQ(delivered.SerializeAsString(),
            parsed.message().SerializeAsString());
}

TEST(PublishRequest, APartThatEndsWithinAFieldIsMalformedThoughTheWholeIsNot) {
  v1::Message message;
  message.set_body("body");
  const std::string encoded = message.SerializeAsString();
  const std::string bytes = WireWriter()
                                .Bytes(4, encoded.substr(0, 3))
                                .Bytes(4, encoded.substr(3))
                                .str();
  v1::PublishRequest parsed;
  ASSERT_FALSE(parsed.ParseFromString(bytes));
  EXPECT_EQ(ReasonOf(DecodeOne(bytes)), "MALFORMED_REQUEST");
}

TEST(PublishRequest, AStringThatALaterOneReplacesMustBeUtf8Too) {
  const std::string bytes = WireWriter().Bytes(3, "\xc3").Bytes(3, "key").str();
  v1::PublishRequest parsed;
  ASSERT_FALSE(parsed.ParseFromString(bytes));
  EXPECT_EQ(ReasonOf(DecodeOne(bytes)), "MALFORMED_REQUEST");
}

TEST(PublishRequest, ARequestInSeveralSlicesIsReadAsOne) {
  v1::PublishRequest request;
  request.set_routing_key("k");
  *request.mutable_message() = SampleMessage();
  const std::string bytes = request.SerializeAsString();
  std::vector<grpc::Slice> slices;
  for (char c : bytes) slices.emplace_back(std::string(1, c));
  auto decoded = DecodePublishRequest(
      grpc::ByteBuffer(slices.data(), slices.size()), SmallLimits());
  ASSERT_EQ(ReasonOf(decoded), "OK");
  EXPECT_EQ(decoded->items[0].message->routing_key(), "k");
}

TEST(PublishRequest, UnknownFieldsAndWireTypesArePassedOver) {
  const std::string bytes = WireWriter()
                                .Varint(4, 1)    // message, as a number
                                .Bytes(5, "no")  // mandatory, as bytes
                                .Bytes(100, "unknown")
                                .Fixed(101, 1.5)
                                .Fixed(102, 1.5f)
                                .Bytes(3, "k")
                                .str();
  auto decoded = DecodeOne(bytes);
  ASSERT_EQ(ReasonOf(decoded), "OK");
  EXPECT_EQ(decoded->items[0].message->routing_key(), "k");
  EXPECT_FALSE(decoded->items[0].mandatory);
}

TEST(PublishRequest, TheLastOfAFieldCounts) {
  auto decoded = DecodeOne(WireWriter().Bytes(3, "a").Bytes(3, "b").str());
  ASSERT_EQ(ReasonOf(decoded), "OK");
  EXPECT_EQ(decoded->items[0].message->routing_key(), "b");
}

TEST(PublishRequest, LIMIT_01_ANameOver255BytesFailsAlone) {
  for (int field : {2, 3}) {
    EXPECT_EQ(ReasonOf(DecodeOne(
                  WireWriter().Bytes(field, std::string(255, 'n')).str())),
              "OK");
    auto decoded =
        DecodeOne(WireWriter().Bytes(field, std::string(256, 'n')).str());
    ASSERT_EQ(ReasonOf(decoded), "OK");
    EXPECT_THAT(decoded->items, IsEmpty());
    ASSERT_THAT(decoded->failures, SizeIs(1));
    EXPECT_EQ(ReasonOf(decoded->failures[0].error), "INVALID_NAME");
  }
}

TEST(PublishRequest, BadUtf8IsMalformedWhereverItIs) {
  for (int field : {1, 2, 3, 6}) {
    EXPECT_EQ(ReasonOf(DecodeOne(WireWriter().Bytes(field, "\xff").str())),
              "MALFORMED_REQUEST")
        << field;
  }
  const std::string message = WireWriter().Bytes(3, "\xff").str();
  EXPECT_EQ(ReasonOf(DecodeOne(WireWriter().Bytes(4, message).str())),
            "MALFORMED_REQUEST");
}

TEST(PublishRequest, BrokenWireFormatIsMalformed) {
  const std::vector<std::string> broken = {
      std::string("\x00", 1),                          // field 0
      "\x22",                                          // no size
      "\x22\x05"                                       // fewer bytes than said
      "abc",                                           //
      "\x0b\x0c",                                      // a group
      "\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  // over 64 bits
      "\x3d\x01",                                      // half a fixed32
      WireWriter().Bytes(4, "\x0a\x05").str(),         // within the message
      WireWriter().Bytes(8, "\x08").str(),             // within deliver_time
  };
  for (const std::string& bytes : broken) {
    EXPECT_EQ(ReasonOf(DecodeOne(bytes)), "MALFORMED_REQUEST");
  }
}

// ---- Batches ----

TEST(PublishBatch, ItemsOverrideTheDefaultsOfTheRequest) {
  v1::PublishBatchRequest request;
  request.set_exchange("x");
  request.set_routing_key("k");
  request.add_items()->mutable_message()->set_body("1");
  v1::PublishItem* own = request.add_items();
  own->set_exchange("x2");
  own->set_routing_key("k2");
  own->set_mandatory(true);
  own->mutable_deliver_time()->set_seconds(5);
  auto decoded = DecodeBatch(request.SerializeAsString());
  ASSERT_EQ(ReasonOf(decoded), "OK");
  ASSERT_THAT(decoded->items, SizeIs(2));
  EXPECT_EQ(decoded->items[0].message->exchange(), "x");
  EXPECT_EQ(decoded->items[0].message->routing_key(), "k");
  EXPECT_FALSE(decoded->items[0].mandatory);
  EXPECT_EQ(decoded->items[1].message->exchange(), "x2");
  EXPECT_EQ(decoded->items[1].message->routing_key(), "k2");
  EXPECT_TRUE(decoded->items[1].mandatory);
  EXPECT_EQ(decoded->items[1].deliver_time, absl::FromUnixSeconds(5));
}

TEST(PublishBatch, DefaultsMayComeAfterTheItems) {
  v1::PublishItem item;
  item.mutable_message()->set_body("1");
  const std::string bytes = WireWriter()
                                .Bytes(4, item.SerializeAsString())
                                .Varint(5, 1)
                                .Bytes(3, "k")
                                .Bytes(2, "x")
                                .str();
  auto decoded = DecodeBatch(bytes);
  ASSERT_EQ(ReasonOf(decoded), "OK");
  EXPECT_EQ(decoded->items[0].message->exchange(), "x");
  EXPECT_EQ(decoded->items[0].message->routing_key(), "k");
  EXPECT_TRUE(decoded->items[0].mandatory);
}

TEST(PublishBatch, AStreamsRequestHasTheSameForm) {
  v1::PublishStreamRequest request;
  request.set_vhost("v");
  request.set_sequence(9);
  request.set_confirms(v1::CONFIRM_MODE_FAILURES);
  auto decoded = DecodeBatch(request.SerializeAsString());
  ASSERT_EQ(ReasonOf(decoded), "OK");
  EXPECT_EQ(decoded->vhost, "v");
  EXPECT_EQ(decoded->sequence, 9u);
  EXPECT_EQ(decoded->confirms, v1::CONFIRM_MODE_FAILURES);
  EXPECT_EQ(decoded->item_count, 0u);
}

TEST(PublishBatch, AnItemsMessageInSeveralPartsIsJoined) {
  v1::Message first;
  first.set_body("1");
  v1::Message second;
  second.set_type("t");
  const std::string item = WireWriter()
                               .Bytes(1, first.SerializeAsString())
                               .Bytes(2, "k")
                               .Bytes(1, second.SerializeAsString())
                               .str();
  auto decoded = DecodeBatch(WireWriter().Bytes(4, item).str());
  ASSERT_EQ(ReasonOf(decoded), "OK");
  EXPECT_EQ(decoded->items[0].message->encoded(),
            first.SerializeAsString() + second.SerializeAsString());
}

TEST(PublishBatch, ItemsOverALimitFailAlone) {
  v1::PublishBatchRequest request;
  request.set_routing_key("k");
  request.add_items()->mutable_message()->set_body("1");
  request.add_items()->mutable_message()->set_body(std::string(2000, 'x'));
  request.add_items()->set_routing_key(std::string(256, 'k'));
  request.add_items()->mutable_message()->set_expiration("soon");
  request.add_items()->mutable_message()->set_body("5");
  auto decoded = DecodeBatch(request.SerializeAsString());
  ASSERT_EQ(ReasonOf(decoded), "OK");
  EXPECT_EQ(decoded->item_count, 5u);
  EXPECT_THAT(decoded->item_index, ElementsAre(0, 4));
  ASSERT_THAT(IndexesOf(decoded->failures), ElementsAre(1, 2, 3));
  EXPECT_EQ(ReasonOf(decoded->failures[0].error), "MESSAGE_TOO_LARGE");
  EXPECT_EQ(ReasonOf(decoded->failures[1].error), "INVALID_NAME");
  EXPECT_EQ(ReasonOf(decoded->failures[2].error), "INVALID_EXPIRATION");
}

TEST(PublishBatch, OneMalformedItemFailsTheRequest) {
  const std::string good = WireWriter().Bytes(2, "k").str();
  for (const std::string& bad :
       {WireWriter().Bytes(2, "\xff").str(), std::string("\x0a\x05"),
        WireWriter().Bytes(1, "\x0a\x05").str()}) {
    EXPECT_EQ(
        ReasonOf(DecodeBatch(WireWriter().Bytes(4, good).Bytes(4, bad).str())),
        "MALFORMED_REQUEST");
  }
}

TEST(PublishBatch, TakesAsManyItemsAsTheLimitAndNoMore) {
  std::string bytes;
  for (int i = 0; i < 10'000; ++i) bytes += WireWriter().Bytes(4, "").str();
  auto decoded = DecodeBatch(bytes);
  ASSERT_EQ(ReasonOf(decoded), "OK");
  EXPECT_THAT(decoded->items, SizeIs(10'000));
  bytes += WireWriter().Bytes(4, "").str();
  const absl::Status status = DecodeBatch(bytes).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_VALUE");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      status.message(),
      "SYNTAX_ERROR - a batch has at most 10000 items; this one has 10001");
}

TEST(PublishBatch, FailuresOfBothSidesAreJoinedByPlace) {
  const absl::Status error = MakeError(Reason::kNoRoute, "");
  // Of six items the second and the last failed their checks.
  EXPECT_THAT(IndexesOf(MergeFailures({{1, error}, {5, error}}, {0, 2, 3, 4},
                                      {{0, error}, {2, error}})),
              ElementsAre(0, 1, 3, 5));
}

// ---- Against protobuf, and against noise ----

class RandomRequests {
 public:
  explicit RandomRequests(uint32_t seed) : random_(seed) {}

  v1::PublishStreamRequest Next() {
    v1::PublishStreamRequest request;
    if (Flip()) request.set_vhost(Text());
    if (Flip()) request.set_exchange(Text());
    if (Flip()) request.set_routing_key(Text());
    if (Flip()) request.set_mandatory(true);
    if (Flip()) request.set_sequence(random_());
    for (uint32_t n = random_() % 4; n > 0; --n) {
      v1::PublishItem* item = request.add_items();
      if (Flip()) item->set_exchange(Text());
      if (Flip()) item->set_routing_key(Text());
      if (Flip()) item->set_mandatory(true);
      if (Flip()) item->mutable_deliver_time()->set_seconds(random_() % 9999);
      v1::Message* message = item->mutable_message();
      if (Flip()) message->set_body(Text());
      if (Flip()) message->set_type(Text());
      if (Flip()) (*message->mutable_headers())[Text()].set_bool_value(true);
      if (Flip()) message->set_priority(random_() % 256);
    }
    return request;
  }
  std::string Mutate(std::string bytes) {
    for (uint32_t n = random_() % 3 + 1; n > 0 && !bytes.empty(); --n) {
      const size_t at = random_() % bytes.size();
      switch (random_() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random_());
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random_() % 8));
          break;
        case 2:
          bytes.erase(at, random_() % 4);
          break;
        default:
          bytes.insert(at, bytes.substr(random_() % bytes.size(), 5));
      }
    }
    return bytes;
  }

 private:
  bool Flip() { return random_() % 2 == 0; }
  std::string Text() { return std::string(random_() % 20, 'a'); }
  std::mt19937 random_;
};

void ExpectSame(const PublishRequestData& decoded,
                const v1::PublishStreamRequest& request) {
  ASSERT_EQ(decoded.vhost, request.vhost());
  ASSERT_EQ(decoded.sequence, request.sequence());
  ASSERT_EQ(decoded.producer_id, request.producer_id());
  ASSERT_EQ(decoded.item_count, static_cast<uint32_t>(request.items_size()));
  for (size_t i = 0; i < decoded.items.size(); ++i) {
    const v1::PublishItem& expected =
        request.items(static_cast<int>(decoded.item_index[i]));
    const PublishItem& item = decoded.items[i];
    ASSERT_EQ(item.message->exchange(), expected.exchange().empty()
                                            ? request.exchange()
                                            : expected.exchange());
    ASSERT_EQ(item.message->routing_key(), expected.routing_key().empty()
                                               ? request.routing_key()
                                               : expected.routing_key());
    ASSERT_EQ(item.mandatory, expected.mandatory() || request.mandatory());
    v1::Message message;
    ASSERT_TRUE(message.ParseFromString(std::string(item.message->encoded())));
    ASSERT_EQ(message.SerializeAsString(),
              expected.message().SerializeAsString());
  }
}

TEST(PublishBatch, RandomRequestsReadAsProtobufReadsThem) {
  RandomRequests requests(1);
  for (int i = 0; i < 2000; ++i) {
    const v1::PublishStreamRequest request = requests.Next();
    auto decoded = DecodeBatch(request.SerializeAsString());
    ASSERT_EQ(ReasonOf(decoded), "OK");
    ASSERT_THAT(decoded->failures, IsEmpty());
    ExpectSame(*decoded, request);
    if (HasFatalFailure()) return;
  }
}

TEST(PublishBatch, WhatIsAcceptedOfNoiseIsWhatProtobufReads) {
  RandomRequests requests(2);
  int accepted = 0;
  for (int i = 0; i < 30000; ++i) {
    const std::string bytes =
        requests.Mutate(requests.Next().SerializeAsString());
    DecodeOne(bytes).status().IgnoreError();  // must not crash
    auto decoded = DecodeBatch(bytes);
    if (!decoded.ok()) {
      ASSERT_EQ(ReasonOf(decoded), "MALFORMED_REQUEST");
      continue;
    }
    v1::PublishStreamRequest parsed;
    // Stricter than protobuf in nothing but what only the last of a field's
    // occurrences must satisfy.
    if (!parsed.ParseFromString(bytes)) continue;
    ++accepted;
    ExpectSame(*decoded, parsed);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(accepted, 3000);
}

}  // namespace
}  // namespace kelpmq::service
