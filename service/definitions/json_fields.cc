#include "service/definitions/json_fields.h"

#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "service/base/error.h"
#include "service/base/names.h"

namespace kelpmq::service {
namespace {

using Json = nlohmann::ordered_json;

// nullopt: a number that fits no AMQP type.
std::optional<Value> ToValue(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return Value();
    case Json::value_t::boolean:
      return Value(json.get<bool>());
    case Json::value_t::number_integer:
      return Value(json.get<int64_t>());
    case Json::value_t::number_unsigned: {
      const uint64_t number = json.get<uint64_t>();
      if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return std::nullopt;
      }
      return Value(static_cast<int64_t>(number));
    }
    case Json::value_t::number_float:
      return Value(json.get<double>());
    case Json::value_t::string:
      return Value(json.get<std::string>());
    case Json::value_t::array: {
      Array array;
      for (const Json& element : json) {
        std::optional<Value> value = ToValue(element);
        if (!value.has_value()) return std::nullopt;
        array.push_back(*std::move(value));
      }
      return Value(std::move(array));
    }
    case Json::value_t::object: {
      Table table;
      for (const auto& [key, element] : json.items()) {
        std::optional<Value> value = ToValue(element);
        if (!value.has_value()) return std::nullopt;
        table.emplace(key, *std::move(value));
      }
      return Value(std::move(table));
    }
    default:
      return std::nullopt;
  }
}

struct ToJsonVisitor {
  Json operator()(const Void&) const { return nullptr; }
  Json operator()(const std::string& text) const { return text; }
  Json operator()(const RawString& raw) const {
    return absl::Base64Escape(raw.data);
  }
  Json operator()(const Bytes& bytes) const {
    return absl::Base64Escape(bytes.data);
  }
  Json operator()(bool flag) const { return flag; }
  Json operator()(int8_t n) const { return static_cast<int64_t>(n); }
  Json operator()(uint8_t n) const { return static_cast<int64_t>(n); }
  Json operator()(int16_t n) const { return n; }
  Json operator()(uint16_t n) const { return n; }
  Json operator()(int32_t n) const { return n; }
  Json operator()(uint32_t n) const { return n; }
  Json operator()(int64_t n) const { return n; }
  Json operator()(float n) const { return static_cast<double>(n); }
  Json operator()(double n) const { return n; }
  Json operator()(const Decimal& decimal) const {
    return decimal.unscaled / std::pow(10.0, decimal.scale);
  }
  Json operator()(const Timestamp& time) const { return time.seconds; }
  Json operator()(const Table& table) const { return ToJson(table); }
  Json operator()(const Array& array) const {
    Json json = Json::array();
    for (const Value& value : array) {
      json.push_back(std::visit(ToJsonVisitor(), value.variant()));
    }
    return json;
  }
};

}  // namespace

absl::Status DefinitionsError(absl::string_view where, absl::string_view why) {
  return MakeError(Reason::kInvalidValue,
                   absl::StrCat("definitions: ", where, " ", why),
                   {{"argument", where}});
}

Json ToJson(const Table& table) {
  Json json = Json::object();
  for (const auto& [key, value] : table) {
    json[key] = std::visit(ToJsonVisitor(), value.variant());
  }
  return json;
}

JsonFields::JsonFields(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (!object.is_object()) {
    status_ = DefinitionsError(where_, "must be an object");
  }
}

void JsonFields::Fail(absl::string_view key, absl::string_view why) {
  if (status_.ok()) {
    status_ = DefinitionsError(absl::StrCat(where_, ".", key), why);
  }
}

const Json* JsonFields::Find(absl::string_view key) const {
  if (!status_.ok()) return nullptr;
  auto it = object_.find(std::string(key));
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

std::string JsonFields::Text(absl::string_view key) {
  const Json* const json = Find(key);
  if (json == nullptr) return "";
  if (!json->is_string()) {
    Fail(key, "must be a string");
    return "";
  }
  return json->get<std::string>();
}

std::string JsonFields::Name(absl::string_view key) {
  if (!Has(key)) {
    Fail(key, "must be there");
    return "";
  }
  std::string name = Text(key);
  if (!CheckName(key, name).ok()) {
    Fail(key, "has more than 255 bytes");
    return "";
  }
  return name;
}

bool JsonFields::Flag(absl::string_view key) {
  const Json* const json = Find(key);
  if (json == nullptr) return false;
  if (!json->is_boolean()) {
    Fail(key, "must be true or false");
    return false;
  }
  return json->get<bool>();
}

std::optional<int64_t> JsonFields::Integer(absl::string_view key) {
  const Json* const json = Find(key);
  if (json == nullptr) return std::nullopt;
  const std::optional<Value> value = ToValue(*json);
  const int64_t* const number =
      value.has_value() ? value->As<int64_t>() : nullptr;
  if (number == nullptr) {
    Fail(key, "must be a whole number");
    return std::nullopt;
  }
  return *number;
}

std::optional<uint64_t> JsonFields::Count(absl::string_view key) {
  const std::optional<int64_t> number = Integer(key);
  if (!number.has_value() || *number < 0) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

std::vector<std::string> JsonFields::Tags(absl::string_view key) {
  const Json* const json = Find(key);
  std::vector<std::string> tags;
  if (json == nullptr) return tags;
  if (json->is_string()) {
    return absl::StrSplit(json->get<std::string>(), absl::ByAnyChar(", "),
                          absl::SkipEmpty());
  }
  if (!json->is_array()) {
    Fail(key, "must be an array of strings");
    return tags;
  }
  for (const Json& tag : *json) {
    if (!tag.is_string() || !CheckName(key, tag.get<std::string>()).ok()) {
      Fail(key, "must be an array of strings of at most 255 bytes");
      return {};
    }
    tags.push_back(tag.get<std::string>());
  }
  return tags;
}

Table JsonFields::Arguments(absl::string_view key) {
  const Json* const json = Find(key);
  if (json == nullptr) return {};
  // An Erlang list without elements is written as an array.
  if (json->is_array() && json->empty()) return {};
  std::optional<Value> value = ToValue(*json);
  Table* const table = value.has_value() && json->is_object()
                           ? value->MutableAs<Table>()
                           : nullptr;
  if (table == nullptr) {
    Fail(key, "must be an object whose numbers have 64 bits");
    return {};
  }
  return std::move(*table);
}

}  // namespace kelpmq::service
