#include "service/rpc/convert.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

absl::Status InvalidValue(absl::string_view field, absl::string_view text) {
  return MakeError(Reason::kInvalidValue, text, {{"argument", field}});
}

size_t EncodedEntryBytes(absl::string_view key, const v1::Value& value) {
  const auto framed = [](size_t bytes) {
    return 1 + bytes +
           google::protobuf::io::CodedOutputStream::VarintSize64(bytes);
  };
  return framed(framed(key.size()) + framed(value.ByteSizeLong()));
}

// Reads values of one request; `depth` tables and arrays are around each.
class ValueReader {
 public:
  explicit ValueReader(const MessageLimits& limits) : limits_(limits) {}

  absl::StatusOr<Value> Read(const v1::Value& value, int depth) const {
    switch (value.kind_case()) {
      case v1::Value::kStringValue:
        return Value(value.string_value());
      case v1::Value::kInt64Value:
        return Value(static_cast<int64_t>(value.int64_value()));
      case v1::Value::kBoolValue:
        return Value(value.bool_value());
      case v1::Value::kDoubleValue:
        return Value(value.double_value());
      case v1::Value::kTableValue:
        return ReadTable(value.table_value().fields(), depth + 1);
      case v1::Value::kArrayValue:
        return ReadArray(value.array_value(), depth + 1);
      case v1::Value::kBytesValue:
        return Value(Bytes{value.bytes_value()});
      case v1::Value::kTimestampValue:
        return Value(Timestamp{value.timestamp_value()});
      case v1::Value::kNullValue:
        return Value(Void{});
      case v1::Value::kInt32Value:
        return Value(static_cast<int32_t>(value.int32_value()));
      case v1::Value::kInt16Value:
        return Narrow<int16_t>(value.int16_value());
      case v1::Value::kInt8Value:
        return Narrow<int8_t>(value.int8_value());
      case v1::Value::kUint8Value:
        return Narrow<uint8_t>(value.uint8_value());
      case v1::Value::kUint16Value:
        return Narrow<uint16_t>(value.uint16_value());
      case v1::Value::kUint32Value:
        return Value(static_cast<uint32_t>(value.uint32_value()));
      case v1::Value::kFloatValue:
        return Value(value.float_value());
      case v1::Value::kDecimalValue:
        return ReadDecimal(value.decimal_value());
      case v1::Value::kRawStringValue:
        return Value(RawString{value.raw_string_value()});
      case v1::Value::KIND_NOT_SET:
        break;
    }
    return MakeError(Reason::kInvalidValue, "a value has no kind set");
  }

  absl::StatusOr<Value> ReadTable(const ProtoTable& table, int depth) const {
    if (absl::Status status = CheckDepth(depth); !status.ok()) return status;
    Table result;
    for (const auto& [key, value] : table) {
      if (key.size() > limits_.max_key_bytes) {
        return MakeError(
            Reason::kHeadersTooLarge,
            absl::StrCat("a key has ", key.size(), " bytes, more than ",
                         limits_.max_key_bytes));
      }
      auto read = Read(value, depth);
      if (!read.ok()) return std::move(read).status();
      result.emplace(key, *std::move(read));
    }
    return Value(std::move(result));
  }

 private:
  absl::StatusOr<Value> ReadArray(const v1::ValueArray& array,
                                  int depth) const {
    if (absl::Status status = CheckDepth(depth); !status.ok()) return status;
    Array result;
    result.reserve(array.values_size());
    for (const v1::Value& value : array.values()) {
      auto read = Read(value, depth);
      if (!read.ok()) return std::move(read).status();
      result.push_back(*std::move(read));
    }
    return Value(std::move(result));
  }

  template <typename Narrower, typename Wider>
  static absl::StatusOr<Value> Narrow(Wider wide) {
    constexpr Wider kLow = std::numeric_limits<Narrower>::min();
    constexpr Wider kHigh = std::numeric_limits<Narrower>::max();
    if (wide < kLow || wide > kHigh) {
      return MakeError(
          Reason::kInvalidValue,
          absl::StrCat("value ", wide, " is outside ", kLow, "..", kHigh));
    }
    return Value(static_cast<Narrower>(wide));
  }

  static absl::StatusOr<Value> ReadDecimal(const v1::Decimal& decimal) {
    constexpr uint32_t kMaxScale = 255;
    if (decimal.scale() > kMaxScale) {
      return MakeError(Reason::kInvalidValue,
                       absl::StrCat("decimal scale ", decimal.scale(),
                                    " is outside 0..", kMaxScale));
    }
    return Value(
        Decimal{static_cast<uint8_t>(decimal.scale()), decimal.unscaled()});
  }

  absl::Status CheckDepth(int depth) const {
    if (depth <= limits_.max_depth) return absl::OkStatus();
    return MakeError(Reason::kHeadersTooLarge,
                     absl::StrCat("values nest deeper than ", limits_.max_depth,
                                  " tables and arrays"));
  }

  const MessageLimits& limits_;
};

// Fills a v1::Value with what the variant holds.
struct ValueWriter {
  v1::Value* to;

  void operator()(const Void&) const {
    to->set_null_value(google::protobuf::NULL_VALUE);
  }
  void operator()(const std::string& s) const { to->set_string_value(s); }
  void operator()(const RawString& s) const {
    to->set_raw_string_value(s.data);
  }
  void operator()(const Bytes& b) const { to->set_bytes_value(b.data); }
  void operator()(bool b) const { to->set_bool_value(b); }
  void operator()(int8_t n) const { to->set_int8_value(n); }
  void operator()(uint8_t n) const { to->set_uint8_value(n); }
  void operator()(int16_t n) const { to->set_int16_value(n); }
  void operator()(uint16_t n) const { to->set_uint16_value(n); }
  void operator()(int32_t n) const { to->set_int32_value(n); }
  void operator()(uint32_t n) const { to->set_uint32_value(n); }
  void operator()(int64_t n) const { to->set_int64_value(n); }
  void operator()(float n) const { to->set_float_value(n); }
  void operator()(double n) const { to->set_double_value(n); }
  void operator()(const Decimal& d) const {
    to->mutable_decimal_value()->set_scale(d.scale);
    to->mutable_decimal_value()->set_unscaled(d.unscaled);
  }
  void operator()(const Timestamp& t) const {
    to->set_timestamp_value(t.seconds);
  }
  void operator()(const Table& t) const {
    FromTable(t, to->mutable_table_value()->mutable_fields());
  }
  void operator()(const Array& a) const {
    v1::ValueArray* array = to->mutable_array_value();
    for (const Value& value : a) *array->add_values() = FromValue(value);
  }
};

}  // namespace

absl::StatusOr<Value> ToValue(const v1::Value& value,
                              const MessageLimits& limits) {
  return ValueReader(limits).Read(value, /*depth=*/0);
}

absl::StatusOr<Table> ToTable(const ProtoTable& table,
                              const MessageLimits& limits) {
  size_t bytes = 0;
  for (const auto& [key, value] : table) bytes += EncodedEntryBytes(key, value);
  if (bytes > limits.max_header_bytes) {
    return MakeError(Reason::kHeadersTooLarge,
                     absl::StrCat("a table has ", bytes, " bytes, more than ",
                                  limits.max_header_bytes),
                     {{"limit", absl::StrCat(limits.max_header_bytes)}});
  }
  auto read = ValueReader(limits).ReadTable(table, /*depth=*/0);
  if (!read.ok()) return std::move(read).status();
  return *read->As<Table>();
}

v1::Value FromValue(const Value& value) {
  v1::Value result;
  std::visit(ValueWriter{&result}, value.variant());
  return result;
}

void FromTable(const Table& table, ProtoTable* result) {
  result->clear();
  for (const auto& [key, value] : table) (*result)[key] = FromValue(value);
}

absl::Status CheckName(absl::string_view what, absl::string_view name) {
  if (name.size() <= kMaxNameBytes) return absl::OkStatus();
  // A key or tag is the text itself; of all else it is the name.
  const bool is_text =
      absl::EndsWith(what, "key") || absl::EndsWith(what, "tag");
  return MakeError(
      Reason::kInvalidName,
      absl::StrCat(is_text ? "the " : "the name of the ", what, " has ",
                   name.size(), " bytes, more than ", kMaxNameBytes),
      {{"argument", what}});
}

absl::Status CheckTagRange(const v1::TagRange& range) {
  if (range.first() >= 1 && range.first() <= range.last()) {
    return absl::OkStatus();
  }
  return InvalidValue("ranges",
                      absl::StrCat("the range of tags ", range.first(), "..",
                                   range.last(), " is not one"));
}

absl::StatusOr<absl::Duration> ToDuration(
    absl::string_view field, const google::protobuf::Duration& duration,
    const DurationBounds& bounds) {
  // google/protobuf/duration.proto: the sign of nanos is that of seconds. Ours
  // are never negative.
  constexpr int32_t kMaxNanos = 999'999'999;
  if (duration.seconds() < 0 || duration.nanos() < 0 ||
      duration.nanos() > kMaxNanos) {
    return InvalidValue(field, absl::StrCat(field, " is no valid duration"));
  }
  const absl::Duration given =
      absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  if (given == absl::ZeroDuration()) return bounds.if_zero;
  if (given < bounds.low || given > bounds.high) {
    return InvalidValue(
        field, absl::StrCat(field, " ", absl::FormatDuration(given),
                            " is outside ", absl::FormatDuration(bounds.low),
                            "..", absl::FormatDuration(bounds.high)));
  }
  return given;
}

google::protobuf::Duration FromDuration(absl::Duration duration) {
  google::protobuf::Duration result;
  absl::Duration rest;
  result.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return result;
}

namespace {

// What google.protobuf.Timestamp can hold: years 1 to 9999.
constexpr int64_t kMinTimestampSeconds = -62'135'596'800;
constexpr int64_t kMaxTimestampSeconds = 253'402'300'799;

}  // namespace

google::protobuf::Timestamp FromTime(absl::Time time) {
  google::protobuf::Timestamp result;
  const int64_t seconds = absl::ToUnixSeconds(time);  // rounds down
  result.set_seconds(
      std::clamp(seconds, kMinTimestampSeconds, kMaxTimestampSeconds));
  if (seconds == result.seconds()) {
    result.set_nanos(static_cast<int32_t>(
        absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  }
  return result;
}

absl::StatusOr<absl::Time> ToTime(absl::string_view field,
                                  const google::protobuf::Timestamp& time) {
  constexpr int32_t kMaxNanos = 999'999'999;
  if (time.seconds() < kMinTimestampSeconds ||
      time.seconds() > kMaxTimestampSeconds || time.nanos() < 0 ||
      time.nanos() > kMaxNanos) {
    return InvalidValue(field, absl::StrCat(field, " is no valid time"));
  }
  return absl::FromUnixSeconds(time.seconds()) +
         absl::Nanoseconds(time.nanos());
}

v1::OperationError ToOperationError(const absl::Status& status) {
  const ErrorInfo info = InfoOf(status);
  v1::OperationError error;
  error.set_code(static_cast<int32_t>(status.code()));
  error.set_reason(std::string(info.reason_name));
  error.set_message(std::string(status.message()));
  error.set_amqp_code(static_cast<uint32_t>(info.amqp_code));
  auto& metadata = *error.mutable_metadata();
  metadata["amqp_code"] = absl::StrCat(info.amqp_code);
  if (!info.amqp_name.empty()) metadata["amqp_name"] = info.amqp_name;
  for (const auto& [key, value] : info.metadata) metadata[key] = value;
  return error;
}

}  // namespace kelpmq::service
