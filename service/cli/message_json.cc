#include "service/cli/message_json.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "service/base/utf8.h"
#include "service/cli/timestamp.h"
#include "service/cli/value_json.h"

namespace kelpmq::service::cli {
namespace {

using Json = nlohmann::ordered_json;

struct TextProperty {
  const char* key;
  const std::string& (v1::Message::*get)() const;
  std::string* (v1::Message::*mutate)();
};
constexpr TextProperty kTextProperties[] = {
    {"content_type", &v1::Message::content_type,
     &v1::Message::mutable_content_type},
    {"content_encoding", &v1::Message::content_encoding,
     &v1::Message::mutable_content_encoding},
    {"correlation_id", &v1::Message::correlation_id,
     &v1::Message::mutable_correlation_id},
    {"reply_to", &v1::Message::reply_to, &v1::Message::mutable_reply_to},
    {"expiration", &v1::Message::expiration, &v1::Message::mutable_expiration},
    {"message_id", &v1::Message::message_id, &v1::Message::mutable_message_id},
    {"type", &v1::Message::type, &v1::Message::mutable_type},
    {"user_id", &v1::Message::user_id, &v1::Message::mutable_user_id},
    {"app_id", &v1::Message::app_id, &v1::Message::mutable_app_id},
    {"cluster_id", &v1::Message::cluster_id, &v1::Message::mutable_cluster_id},
};

// What `get --json` and `consume --json` add.
constexpr absl::string_view kDeliveryKeys[] = {"delivery_tag", "redelivered",
                                               "delivery_count"};

absl::Status Wrong(absl::string_view key, absl::string_view wanted) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", key, "' must be ", wanted));
}

absl::Status ReadText(const Json& json, absl::string_view key,
                      std::string* text) {
  if (!json.is_string()) return Wrong(key, "a string");
  *text = json.get<std::string>();
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> ReadNumber(const Json& json, absl::string_view key,
                                    uint64_t max) {
  if (!json.is_number_unsigned() || json.get<uint64_t>() > max) {
    return Wrong(key, absl::StrCat("a whole number from 0 to ", max));
  }
  return json.get<uint64_t>();
}

absl::Status ReadHeaders(const Json& json, v1::Message* message) {
  if (!json.is_object()) return Wrong("headers", "an object");
  for (const auto& [key, header] : json.items()) {
    absl::StatusOr<v1::Value> value = ValueOf(header);
    if (!value.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("header '", key, "': ", value.status().message()));
    }
    (*message->mutable_headers())[key] = *std::move(value);
  }
  return absl::OkStatus();
}

absl::Status ReadKey(const std::string& key, const Json& json,
                     v1::PublishItem* item) {
  v1::Message* message = item->mutable_message();
  for (const TextProperty& property : kTextProperties) {
    if (key == property.key) {
      return ReadText(json, key, (message->*property.mutate)());
    }
  }
  if (key == "exchange") return ReadText(json, key, item->mutable_exchange());
  if (key == "routing_key") {
    return ReadText(json, key, item->mutable_routing_key());
  }
  if (key == "body") return ReadText(json, key, message->mutable_body());
  if (key == "body_base64") {
    if (!json.is_string() ||
        !absl::Base64Unescape(json.get_ref<const std::string&>(),
                              message->mutable_body())) {
      return Wrong(key, "base64");
    }
    return absl::OkStatus();
  }
  if (key == "deliver_time") {
    absl::Time time;
    if (!json.is_string() ||
        !absl::ParseTime(absl::RFC3339_full, json.get<std::string>(), &time,
                         /*err=*/nullptr)) {
      return Wrong(key, "a time such as \"2030-01-31T12:00:00Z\"");
    }
    SetTimestamp(time, item->mutable_deliver_time());
    return absl::OkStatus();
  }
  if (key == "headers") return ReadHeaders(json, message);
  if (key == "mandatory" || key == "persistent") {
    if (!json.is_boolean()) return Wrong(key, "true or false");
    if (key == "mandatory") {
      item->set_mandatory(json.get<bool>());
    } else if (json.get<bool>()) {
      message->set_delivery_mode(v1::DELIVERY_MODE_PERSISTENT);
    }
    return absl::OkStatus();
  }
  if (key == "delivery_mode" || key == "priority") {
    const absl::StatusOr<uint64_t> number = ReadNumber(json, key, 255);
    if (!number.ok()) return number.status();
    if (key == "priority") {
      message->set_priority(static_cast<uint32_t>(*number));
    } else {
      message->set_delivery_mode(static_cast<v1::DeliveryMode>(*number));
    }
    return absl::OkStatus();
  }
  if (key == "timestamp") {
    const absl::StatusOr<uint64_t> seconds =
        ReadNumber(json, key, std::numeric_limits<uint64_t>::max());
    if (!seconds.ok()) return seconds.status();
    message->set_timestamp(*seconds);
    return absl::OkStatus();
  }
  const bool is_delivery_key =
      std::find(std::begin(kDeliveryKeys), std::end(kDeliveryKeys), key) !=
      std::end(kDeliveryKeys);
  if (is_delivery_key) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", key, "' is no field of a message"));
}

}  // namespace

Json JsonOf(const v1::Delivery& delivery) {
  const v1::Message& message = delivery.message();
  Json json;
  json["exchange"] = delivery.exchange();
  json["routing_key"] = delivery.routing_key();
  if (IsValidUtf8(message.body())) {
    json["body"] = message.body();
  } else {
    json["body_base64"] = absl::Base64Escape(message.body());
  }
  if (!message.headers().empty()) json["headers"] = JsonOf(message.headers());
  for (const TextProperty& property : kTextProperties) {
    const std::string& text = (message.*property.get)();
    if (!text.empty()) json[property.key] = text;
  }
  if (message.delivery_mode() != 0) {
    json["delivery_mode"] = static_cast<int>(message.delivery_mode());
  }
  if (message.priority() != 0) json["priority"] = message.priority();
  if (message.timestamp() != 0) json["timestamp"] = message.timestamp();
  json["redelivered"] = delivery.redelivered();
  if (delivery.delivery_count() != 0) {
    json["delivery_count"] = delivery.delivery_count();
  }
  if (delivery.delivery_tag() != 0) {
    json["delivery_tag"] = delivery.delivery_tag();
  }
  return json;
}

absl::StatusOr<v1::PublishItem> ItemOf(absl::string_view line) {
  const Json json = Json::parse(line.begin(), line.end(), /*cb=*/nullptr,
                                /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InvalidArgumentError("not JSON");
  if (!json.is_object()) {
    return absl::InvalidArgumentError("not a JSON object");
  }
  if (json.contains("body") && json.contains("body_base64")) {
    return absl::InvalidArgumentError(
        "'body' and 'body_base64' exclude each other");
  }
  v1::PublishItem item;
  item.mutable_message();
  for (const auto& [key, value] : json.items()) {
    const absl::Status status = ReadKey(key, value, &item);
    if (!status.ok()) return status;
  }
  return item;
}

}  // namespace kelpmq::service::cli
