#include "service/cli/value_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/cli/message_json.h"

namespace kelpmq::service::cli {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

TEST(AddArguments, TypesValuesThatAreJson) {
  Arguments arguments;
  ASSERT_TRUE(AddArguments({"n=5", "on=true", "text=plain", "quoted=\"5\"",
                            "empty=", "f=1.5", "equals=a=b"},
                           "--argument", &arguments)
                  .ok());
  EXPECT_EQ(arguments.at("n").int64_value(), 5);
  EXPECT_TRUE(arguments.at("on").bool_value());
  EXPECT_EQ(arguments.at("text").string_value(), "plain");
  EXPECT_EQ(arguments.at("quoted").string_value(), "5");
  EXPECT_EQ(arguments.at("empty").kind_case(), v1::Value::kStringValue);
  EXPECT_EQ(arguments.at("f").double_value(), 1.5);
  EXPECT_EQ(arguments.at("equals").string_value(), "a=b");
}

TEST(AddArguments, RefusesWordsWithoutKeyAndKeysGivenTwice) {
  Arguments arguments;
  EXPECT_FALSE(AddArguments({"novalue"}, "--argument", &arguments).ok());
  EXPECT_FALSE(AddArguments({"=5"}, "--argument", &arguments).ok());
  EXPECT_THAT(AddArguments({"a=1", "a=2"}, "--argument", &arguments).message(),
              HasSubstr("given twice"));
}

// What is printed must read back as the same value, widths of integers apart.
TEST(ValueJson, RoundTripsEveryKind) {
  const Json json = Json::parse(R"({
    "s": "text", "i": -5, "big": 9223372036854775807, "t": true, "f": 0.25,
    "null": null, "array": [1, [2], {}], "table": {"a": {"b": 1}},
    "bytes": {"$bytes": "/wA="}, "raw": {"$raw_string": "/w=="},
    "when": {"$timestamp": 1700000000},
    "price": {"$decimal": {"scale": 2, "unscaled": 1999}}})");
  const absl::StatusOr<v1::Value> value = ValueOf(json);
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->table_value().fields().at("bytes").bytes_value(),
            std::string("\xff\0", 2));
  const Json back = JsonOf(*value);
  for (const auto& [key, expected] : json.items()) {
    EXPECT_EQ(back[key], expected) << key;
  }
}

TEST(ValueJson, RefusesWhatTheWireCannotCarry) {
  EXPECT_FALSE(ValueOf(Json::parse("9223372036854775808")).ok());
  EXPECT_FALSE(ValueOf(Json::parse(R"({"$bytes": "not base64!"})")).ok());
  EXPECT_FALSE(ValueOf(Json::parse(R"({"$timestamp": -1})")).ok());
  EXPECT_FALSE(ValueOf(Json::parse(R"({"$decimal": {"scale": 1}})")).ok());
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  EXPECT_FALSE(ValueOf(Json::parse(deep)).ok());
}

TEST(MessageJson, ADeliveryReadsBackAsTheSameMessage) {
  v1::Delivery delivery;
  delivery.set_exchange("logs");
  delivery.set_routing_key("app.error");
  delivery.set_redelivered(true);
  delivery.set_delivery_tag(7);
  v1::Message* message = delivery.mutable_message();
  message->set_body("\xff\x01");
  (*message->mutable_headers())["n"].set_int64_value(1);
  message->set_content_type("text/plain");
  message->set_priority(9);
  message->set_delivery_mode(v1::DELIVERY_MODE_PERSISTENT);
  message->set_timestamp(1700000000);
  const absl::StatusOr<v1::PublishItem> item = ItemOf(JsonOf(delivery).dump());
  ASSERT_TRUE(item.ok()) << item.status();
  EXPECT_EQ(item->exchange(), "logs");
  EXPECT_EQ(item->routing_key(), "app.error");
  EXPECT_EQ(item->message().SerializeAsString(), message->SerializeAsString());
}

}  // namespace
}  // namespace kelpmq::service::cli
