#include "service/cli/value_json.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/cli/errors.h"
#include "service/cli/output.h"

namespace kelpmq::service::cli {
namespace {

using Json = nlohmann::ordered_json;

// Brokers take 16 levels; this one only guards our own stack.
constexpr int kMaxDepth = 64;

// Map fields have no order of their own: sort them, so that output is stable.
template <typename Map>
std::vector<std::string> SortedKeys(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& entry : map) keys.push_back(entry.first);
  std::sort(keys.begin(), keys.end());
  return keys;
}

Json JsonOfFields(const Arguments& fields) {
  Json json = Json::object();
  for (const std::string& key : SortedKeys(fields)) {
    json[key] = JsonOf(fields.at(key));
  }
  return json;
}

Json Special(const char* key, Json content) {
  Json json;
  json[key] = std::move(content);
  return json;
}

absl::StatusOr<std::string> BytesOf(const Json& json) {
  std::string bytes;
  if (!json.is_string() ||
      !absl::Base64Unescape(json.get_ref<const std::string&>(), &bytes)) {
    return absl::InvalidArgumentError("not base64");
  }
  return bytes;
}

bool IsUint(const Json& json, uint64_t max) {
  return json.is_number_unsigned() && json.get<uint64_t>() <= max;
}

// An object with one `$` key. Sets nothing and is false if it is another.
absl::StatusOr<bool> ReadSpecial(const Json& json, v1::Value* value) {
  if (json.size() != 1) return false;
  const std::string key = json.begin().key();
  const Json& content = json.begin().value();
  if (key == "$bytes" || key == "$raw_string") {
    absl::StatusOr<std::string> bytes = BytesOf(content);
    if (!bytes.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(key, " is not base64"));
    }
    *(key == "$bytes" ? value->mutable_bytes_value()
                      : value->mutable_raw_string_value()) = *std::move(bytes);
    return true;
  }
  if (key == "$timestamp") {
    if (!content.is_number_unsigned()) {
      return absl::InvalidArgumentError("$timestamp is not whole seconds");
    }
    value->set_timestamp_value(content.get<uint64_t>());
    return true;
  }
  if (key == "$decimal") {
    constexpr uint64_t kMax = std::numeric_limits<uint32_t>::max();
    if (!content.is_object() || !IsUint(content.value("scale", Json()), kMax) ||
        !IsUint(content.value("unscaled", Json()), kMax)) {
      return absl::InvalidArgumentError(
          "$decimal is not {\"scale\": n, \"unscaled\": n}");
    }
    value->mutable_decimal_value()->set_scale(content["scale"].get<uint32_t>());
    value->mutable_decimal_value()->set_unscaled(
        content["unscaled"].get<uint32_t>());
    return true;
  }
  return false;
}

absl::StatusOr<v1::Value> ValueOfAt(const Json& json, int depth) {
  if (depth > kMaxDepth) return absl::InvalidArgumentError("nested too deep");
  v1::Value value;
  switch (json.type()) {
    case Json::value_t::null:
      value.set_null_value(google::protobuf::NULL_VALUE);
      break;
    case Json::value_t::boolean:
      value.set_bool_value(json.get<bool>());
      break;
    case Json::value_t::number_integer:
      value.set_int64_value(json.get<int64_t>());
      break;
    case Json::value_t::number_unsigned:
      if (!IsUint(json, std::numeric_limits<int64_t>::max())) {
        return absl::InvalidArgumentError("an integer has more than 64 bits");
      }
      value.set_int64_value(json.get<int64_t>());
      break;
    case Json::value_t::number_float:
      value.set_double_value(json.get<double>());
      break;
    case Json::value_t::string:
      value.set_string_value(json.get<std::string>());
      break;
    case Json::value_t::array:
      value.mutable_array_value();
      for (const Json& element : json) {
        absl::StatusOr<v1::Value> part = ValueOfAt(element, depth + 1);
        if (!part.ok()) return part;
        *value.mutable_array_value()->add_values() = *std::move(part);
      }
      break;
    case Json::value_t::object: {
      absl::StatusOr<bool> special = ReadSpecial(json, &value);
      if (!special.ok()) return special.status();
      if (*special) break;
      auto& fields = *value.mutable_table_value()->mutable_fields();
      for (const auto& [key, element] : json.items()) {
        absl::StatusOr<v1::Value> part = ValueOfAt(element, depth + 1);
        if (!part.ok()) return part;
        fields[key] = *std::move(part);
      }
      break;
    }
    default:
      return absl::InvalidArgumentError("not a JSON value");
  }
  return value;
}

// A shell-like form: strings bare, the rest as JSON.
std::string BriefOf(const v1::Value& value) {
  return value.kind_case() == v1::Value::kStringValue ? value.string_value()
                                                      : ToText(JsonOf(value));
}

}  // namespace

Json JsonOf(const v1::Value& value) {
  switch (value.kind_case()) {
    case v1::Value::kStringValue:
      return value.string_value();
    case v1::Value::kInt64Value:
      return value.int64_value();
    case v1::Value::kBoolValue:
      return value.bool_value();
    case v1::Value::kDoubleValue:
      return value.double_value();
    case v1::Value::kTableValue:
      return JsonOfFields(value.table_value().fields());
    case v1::Value::kArrayValue: {
      Json array = Json::array();
      for (const v1::Value& element : value.array_value().values()) {
        array.push_back(JsonOf(element));
      }
      return array;
    }
    case v1::Value::kBytesValue:
      return Special("$bytes", absl::Base64Escape(value.bytes_value()));
    case v1::Value::kTimestampValue:
      return Special("$timestamp", value.timestamp_value());
    case v1::Value::kInt32Value:
      return value.int32_value();
    case v1::Value::kInt16Value:
      return value.int16_value();
    case v1::Value::kInt8Value:
      return value.int8_value();
    case v1::Value::kUint8Value:
      return value.uint8_value();
    case v1::Value::kUint16Value:
      return value.uint16_value();
    case v1::Value::kUint32Value:
      return value.uint32_value();
    case v1::Value::kFloatValue:
      return value.float_value();
    case v1::Value::kDecimalValue: {
      Json decimal;
      decimal["scale"] = value.decimal_value().scale();
      decimal["unscaled"] = value.decimal_value().unscaled();
      return Special("$decimal", std::move(decimal));
    }
    case v1::Value::kRawStringValue:
      return Special("$raw_string",
                     absl::Base64Escape(value.raw_string_value()));
    case v1::Value::kNullValue:
    case v1::Value::KIND_NOT_SET:
      return nullptr;
  }
  return nullptr;
}

Json JsonOf(const Arguments& arguments) { return JsonOfFields(arguments); }

absl::StatusOr<v1::Value> ValueOf(const Json& json) {
  return ValueOfAt(json, 1);
}

absl::Status AddArguments(const std::vector<std::string>& words,
                          absl::string_view flag, Arguments* arguments) {
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return MakeFailure(
          ExitCode::kUsage,
          absl::StrCat(flag, " '", word, "' is not KEY=VALUE"),
          absl::StrCat("as in ",
                       flag == "SETTING"
                           ? "max-length=1000"
                           : absl::StrCat(flag, " x-max-length=1000")));
    }
    const std::string key = word.substr(0, equals);
    const std::string text = word.substr(equals + 1);
    v1::Value value;
    const Json json =
        Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) {
      value.set_string_value(text);
    } else {
      absl::StatusOr<v1::Value> typed = ValueOf(json);
      if (!typed.ok()) {
        return MakeFailure(
            ExitCode::kUsage,
            absl::StrCat(flag, " ", key, ": ", typed.status().message()));
      }
      value = *std::move(typed);
    }
    if (!arguments->insert({key, value}).second) {
      return MakeFailure(ExitCode::kUsage,
                         absl::StrCat(flag, " ", key, " is given twice"));
    }
  }
  return absl::OkStatus();
}

std::string Summary(const Arguments& arguments) {
  std::vector<std::string> words;
  for (const std::string& key : SortedKeys(arguments)) {
    words.push_back(absl::StrCat(key, "=", BriefOf(arguments.at(key))));
  }
  return absl::StrJoin(words, " ");
}

}  // namespace kelpmq::service::cli
