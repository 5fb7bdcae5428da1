// base/message_wire against protobuf's own parser: what ScanMessage accepts,
// every consumer's parser must accept, and it must mean the same.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "kelpmq/v1/types.pb.h"
#include "service/base/error.h"
#include "service/base/message_wire.h"
#include "tests/fuzz/require.h"

namespace kelpmq::service {
namespace {

void CheckValue(const Value& value, const v1::Value& parsed,
                absl::string_view input);

template <typename Fields>
void CheckTable(const Table& table, const Fields& fields,
                absl::string_view input) {
  Require(table.size() == fields.size(), "table size", input);
  for (const auto& [name, value] : table) {
    const auto it = fields.find(name);
    Require(it != fields.end(), "table key", input);
    CheckValue(value, it->second, input);
  }
}

void CheckValue(const Value& value, const v1::Value& parsed,
                absl::string_view input) {
  const auto same = [&](bool equal) { Require(equal, "value", input); };
  switch (parsed.kind_case()) {
    case v1::Value::kStringValue:
      return same(value == Value(parsed.string_value()));
    case v1::Value::kInt64Value:
      return same(value == Value(int64_t{parsed.int64_value()}));
    case v1::Value::kBoolValue:
      return same(value == Value(parsed.bool_value()));
    case v1::Value::kDoubleValue:  // which may be no number
      return same(value.As<double>() != nullptr);
    case v1::Value::kFloatValue:
      return same(value.As<float>() != nullptr);
    case v1::Value::kTableValue:
      same(value.As<Table>() != nullptr);
      return CheckTable(*value.As<Table>(), parsed.table_value().fields(),
                        input);
    case v1::Value::kArrayValue: {
      const Array* const array = value.As<Array>();
      const auto& values = parsed.array_value().values();
      same(array != nullptr &&
           array->size() == static_cast<size_t>(values.size()));
      for (int i = 0; i < values.size(); ++i) {
        CheckValue((*array)[i], values[i], input);
      }
      return;
    }
    case v1::Value::kBytesValue:
      return same(value == Value(Bytes{parsed.bytes_value()}));
    case v1::Value::kTimestampValue:
      return same(value == Value(Timestamp{parsed.timestamp_value()}));
    case v1::Value::kNullValue:
      return same(value == Value(Void{}));
    case v1::Value::kInt32Value:
      return same(value == Value(int32_t{parsed.int32_value()}));
    case v1::Value::kInt16Value:
      return same(value == Value(static_cast<int16_t>(parsed.int16_value())));
    case v1::Value::kInt8Value:
      return same(value == Value(static_cast<int8_t>(parsed.int8_value())));
    case v1::Value::kUint8Value:
      return same(value == Value(static_cast<uint8_t>(parsed.uint8_value())));
    case v1::Value::kUint16Value:
      return same(value == Value(static_cast<uint16_t>(parsed.uint16_value())));
    case v1::Value::kUint32Value:
      return same(value == Value(uint32_t{parsed.uint32_value()}));
    case v1::Value::kDecimalValue:
      return same(value == Value(Decimal{static_cast<uint8_t>(
                                             parsed.decimal_value().scale()),
                                         parsed.decimal_value().unscaled()}));
    case v1::Value::kRawStringValue:
      return same(value == Value(RawString{parsed.raw_string_value()}));
    case v1::Value::KIND_NOT_SET:
      return same(false);
  }
}

}  // namespace
}  // namespace kelpmq::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kelpmq::service;  // NOLINT(google-build-using-namespace)
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const auto facts = ScanMessage(input, MessageLimits());
  if (!facts.ok()) return 0;
  kelpmq::v1::Message parsed;
  Require(parsed.ParseFromArray(data, static_cast<int>(size)),
          "accepted what protobuf does not parse", input);
  Require(facts->payload_bytes == parsed.body().size(), "body", input);
  Require(facts->priority == parsed.priority(), "priority", input);
  Require(facts->persistent == (parsed.delivery_mode() == 2), "mode", input);
  Require(facts->has_headers == !parsed.headers().empty(), "headers", input);
  Require(facts->has_expiration == !parsed.expiration().empty(), "expiration",
          input);
  Require(UserIdOf(input) == parsed.user_id(), "user id", input);
  CheckTable(DecodeHeaders(input), parsed.headers(), input);
  return 0;
}
