#include "service/rpc/delivery_wire.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kelpmq/v1/messaging.pb.h"
#include "service/base/message_wire.h"
#include "service/engine/engine.h"
#include "tests/testing/generic_client.h"

namespace kelpmq::service {
namespace {

using ::kelpmq::service::testing::TextOf;

std::string SampleMessage() {
  v1::Message message;
  message.set_body("the body");
  (*message.mutable_headers())["h"].set_int32_value(-5);
  message.set_content_type("text/plain");
  message.set_delivery_mode(v1::DELIVERY_MODE_PERSISTENT);
  message.set_timestamp(1'700'000'000);
  std::string encoded = message.SerializeAsString();
  // An unknown field travels on.
  encoded += std::string("\xf8\x07\x01", 3);
  return encoded;
}

TaggedDelivery Tagged(uint64_t tag, uint32_t consumer_id,
                      uint32_t delivery_count, const std::string& exchange,
                      const std::string& routing_key,
                      const std::string& encoded) {
  TaggedDelivery tagged;
  tagged.tag = tag;
  tagged.consumer_id = consumer_id;
  tagged.delivery.delivery_count = delivery_count;
  tagged.delivery.message =
      Message::Create(exchange, routing_key, encoded, MessageFacts());
  return tagged;
}

// The bytes of the first `message` field (2) of an encoded Delivery.
std::string RawMessageOf(const v1::Delivery& delivery) {
  return delivery.message().SerializeAsString();
}

TEST(DeliveryWire, ADeliverySaysAllThatItHas) {
  const std::string encoded = SampleMessage();
  const TaggedDelivery tagged =
      Tagged(300, 7, 2, "an exchange", "a.key", encoded);
  v1::ConsumeResponse response;
  ASSERT_TRUE(
      response.ParseFromString(TextOf(EncodeConsumeDeliveries({tagged}))));
  ASSERT_TRUE(response.has_deliveries());
  ASSERT_EQ(response.deliveries().deliveries_size(), 1);
  const v1::Delivery& delivery = response.deliveries().deliveries(0);
  EXPECT_EQ(delivery.delivery_tag(), 300u);
  EXPECT_EQ(delivery.consumer_id(), 7u);
  EXPECT_EQ(delivery.delivery_count(), 2u);
  EXPECT_TRUE(delivery.redelivered());
  EXPECT_EQ(delivery.exchange(), "an exchange");
  EXPECT_EQ(delivery.routing_key(), "a.key");
  EXPECT_EQ(delivery.message().body(), "the body");
  EXPECT_EQ(delivery.message().headers().at("h").int32_value(), -5);
}

TEST(DeliveryWire, MSG_01_TheMessageIsByteIdentical) {
  const std::string encoded = SampleMessage();
  const std::string wire =
      TextOf(EncodeConsumeDeliveries({Tagged(1, 0, 0, "x", "k", encoded)}));
  EXPECT_NE(wire.find(encoded), std::string::npos);
  v1::ConsumeResponse response;
  ASSERT_TRUE(response.ParseFromString(wire));
  v1::Message published;
  ASSERT_TRUE(published.ParseFromString(encoded));
  EXPECT_EQ(RawMessageOf(response.deliveries().deliveries(0)),
            published.SerializeAsString());
}

TEST(DeliveryWire, MSG_02_AnEmptyMessageIsStillThere) {
  v1::ConsumeResponse response;
  ASSERT_TRUE(response.ParseFromString(
      TextOf(EncodeConsumeDeliveries({Tagged(1, 0, 0, "", "", "")}))));
  const v1::Delivery& delivery = response.deliveries().deliveries(0);
  EXPECT_TRUE(delivery.has_message());
  EXPECT_FALSE(delivery.redelivered());
}

TEST(DeliveryWire, WhatIsZeroCostsNothing) {
  v1::Delivery expected;
  expected.mutable_message();
  v1::GetResponse response;
  *response.add_deliveries() = expected;
  EXPECT_EQ(TextOf(EncodeWithDeliveries(1, {Tagged(0, 0, 0, "", "", "")}, "")),
            response.SerializeAsString());
}

TEST(DeliveryWire, TheRestOfAResponseFollows) {
  v1::GetResponse rest;
  rest.set_lease_id("lease");
  rest.set_message_count(12);
  const std::vector<TaggedDelivery> deliveries = {
      Tagged(1, 0, 0, "", "a", SampleMessage()), Tagged(2, 0, 1, "", "b", "")};
  v1::GetResponse response;
  ASSERT_TRUE(response.ParseFromString(
      TextOf(EncodeWithDeliveries(v1::GetResponse::kDeliveriesFieldNumber,
                                  deliveries, rest.SerializeAsString()))));
  EXPECT_EQ(response.lease_id(), "lease");
  EXPECT_EQ(response.message_count(), 12u);
  ASSERT_EQ(response.deliveries_size(), 2);
  EXPECT_EQ(response.deliveries(1).routing_key(), "b");
}

TEST(DeliveryWire, AGotCarriesItsDeliveriesOrNone) {
  v1::StreamGot rest;
  rest.set_request_id(5);
  v1::ConsumeResponse response;
  ASSERT_TRUE(response.ParseFromString(TextOf(EncodeConsumeGot(
      {Tagged(9, 0, 0, "", "q", SampleMessage())}, rest.SerializeAsString()))));
  EXPECT_EQ(response.got().request_id(), 5u);
  EXPECT_EQ(response.got().deliveries(0).delivery_tag(), 9u);
  ASSERT_TRUE(response.ParseFromString(
      TextOf(EncodeConsumeGot({}, rest.SerializeAsString()))));
  EXPECT_EQ(response.got().request_id(), 5u);
  EXPECT_EQ(response.got().deliveries_size(), 0);
  ASSERT_TRUE(response.ParseFromString(TextOf(EncodeConsumeGot({}, ""))));
  EXPECT_TRUE(response.has_got());
}

TEST(DeliveryWire, ResponsesThatHaveNothingElseMatchTheirFields) {
  v1::SubscribeResponse rest;
  rest.set_lease_id("lease");
  v1::SubscribeResponse response;
  ASSERT_TRUE(response.ParseFromString(TextOf(EncodeWithDeliveries(
      v1::SubscribeResponse::kDeliveriesFieldNumber,
      {Tagged(4, 0, 0, "", "q", "")}, rest.SerializeAsString()))));
  EXPECT_EQ(response.lease_id(), "lease");
  EXPECT_EQ(response.deliveries(0).delivery_tag(), 4u);
}

TEST(DeliveryWire, RandomBatchesEqualWhatProtobufWrites) {
  std::mt19937_64 random(1);
  // Numbers of all lengths.
  const auto number = [&random](int bits) {
    return random() >> (64 - 1 - random() % bits);
  };
  const auto text = [&random](size_t most) {
    return std::string(random() % (most + 1), 'a');
  };
  for (int round = 0; round < 500; ++round) {
    std::vector<TaggedDelivery> deliveries;
    v1::DeliveryBatch expected;
    size_t estimate = 0;
    for (uint64_t n = random() % 5; n > 0; --n) {
      v1::Message message;
      message.set_body(text(round % 50 == 0 ? 100000 : 200));
      message.set_app_id(text(5));
      const TaggedDelivery tagged =
          Tagged(number(53), static_cast<uint32_t>(number(32)),
                 random() % 2 == 0 ? 0 : static_cast<uint32_t>(number(20)),
                 text(255), text(255), message.SerializeAsString());
      deliveries.push_back(tagged);
      v1::Delivery* delivery = expected.add_deliveries();
      delivery->set_delivery_tag(tagged.tag);
      *delivery->mutable_message() = message;
      delivery->set_routing_key(
          std::string(tagged.delivery.message->routing_key()));
      delivery->set_exchange(std::string(tagged.delivery.message->exchange()));
      delivery->set_consumer_id(tagged.consumer_id);
      delivery->set_delivery_count(tagged.delivery.delivery_count);
      delivery->set_redelivered(tagged.delivery.delivery_count > 0);
      estimate += EncodedDeliveryBytes(*tagged.delivery.message);
    }
    const std::string bytes = TextOf(EncodeConsumeDeliveries(deliveries));
    v1::ConsumeResponse response;
    ASSERT_TRUE(response.ParseFromString(bytes));
    ASSERT_EQ(response.deliveries().SerializeAsString(),
              expected.SerializeAsString());
    // Windows count no less than this, but for the longest of numbers.
    ASSERT_LE(bytes.size(), estimate + 10 + 6 * deliveries.size());
  }
}

}  // namespace
}  // namespace kelpmq::service
