#include "service/base/value_encode.h"

#include <cstring>
#include <type_traits>
#include <variant>

#include "service/base/message_fields.h"
#include "service/base/value_fields.h"
#include "service/base/varint.h"

namespace kelpmq::service {
namespace {

enum WireType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kFixed32 = 5
};

void AppendVarint(uint64_t n, std::string* out) {
  char bytes[kMaxVarintSize];
  out->append(bytes, WriteVarint(bytes, n));
}
void AppendKey(uint32_t field, WireType type, std::string* out) {
  AppendVarint((uint64_t{field} << 3) | type, out);
}
void AppendBytes(uint32_t field, absl::string_view bytes, std::string* out) {
  AppendKey(field, kBytes, out);
  AppendVarint(bytes.size(), out);
  out->append(bytes.data(), bytes.size());
}
void AppendUnsigned(uint32_t field, uint64_t n, std::string* out) {
  AppendKey(field, kVarint, out);
  AppendVarint(n, out);
}
void AppendSigned(uint32_t field, int64_t n, std::string* out) {
  // ZigZag, as sint32 and sint64 have it.
  AppendUnsigned(
      field, (static_cast<uint64_t>(n) << 1) ^ static_cast<uint64_t>(n >> 63),
      out);
}
template <typename T>
void AppendFixed(uint32_t field, T value, std::string* out) {
  // Little-endian on the wire and on every platform we build for.
  AppendKey(field, sizeof(T) == 8 ? kFixed64 : kFixed32, out);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

std::string EncodedEntry(absl::string_view name, const Value& value) {
  std::string entry;
  AppendBytes(kEntryKey, name, &entry);
  AppendBytes(kEntryValue, EncodedValue(value), &entry);
  return entry;
}

// Appends the one field of a Value that its type has.
struct Encoder {
  std::string* out;

  void operator()(Void) const { AppendUnsigned(value_field::kNull, 0, out); }
  void operator()(const std::string& s) const {
    AppendBytes(value_field::kString, s, out);
  }
  void operator()(const RawString& s) const {
    AppendBytes(value_field::kRawString, s.data, out);
  }
  void operator()(const Bytes& b) const {
    AppendBytes(value_field::kBytes, b.data, out);
  }
  void operator()(bool b) const { AppendUnsigned(value_field::kBool, b, out); }
  void operator()(int8_t n) const { AppendSigned(value_field::kInt8, n, out); }
  void operator()(int16_t n) const {
    AppendSigned(value_field::kInt16, n, out);
  }
  void operator()(int32_t n) const {
    AppendSigned(value_field::kInt32, n, out);
  }
  void operator()(int64_t n) const {
    AppendSigned(value_field::kInt64, n, out);
  }
  void operator()(uint8_t n) const {
    AppendUnsigned(value_field::kUint8, n, out);
  }
  void operator()(uint16_t n) const {
    AppendUnsigned(value_field::kUint16, n, out);
  }
  void operator()(uint32_t n) const {
    AppendUnsigned(value_field::kUint32, n, out);
  }
  void operator()(float f) const { AppendFixed(value_field::kFloat, f, out); }
  void operator()(double d) const { AppendFixed(value_field::kDouble, d, out); }
  void operator()(const Decimal& d) const {
    std::string decimal;
    AppendUnsigned(kDecimalScale, d.scale, &decimal);
    AppendUnsigned(kDecimalUnscaled, d.unscaled, &decimal);
    AppendBytes(value_field::kDecimal, decimal, out);
  }
  void operator()(const Timestamp& t) const {
    AppendUnsigned(value_field::kTimestamp, t.seconds, out);
  }
  void operator()(const Table& table) const {
    std::string fields;
    for (const auto& [name, value] : table) {
      AppendBytes(kTableFields, EncodedEntry(name, value), &fields);
    }
    AppendBytes(value_field::kTable, fields, out);
  }
  void operator()(const Array& array) const {
    std::string values;
    for (const Value& value : array) {
      AppendBytes(kArrayValues, EncodedValue(value), &values);
    }
    AppendBytes(value_field::kArray, values, out);
  }
};

}  // namespace

std::string EncodedValue(const Value& value) {
  std::string encoded;
  std::visit(Encoder{&encoded}, value.variant());
  return encoded;
}

void AppendHeader(absl::string_view name, const Value& value,
                  std::string* message) {
  AppendBytes(message_field::kHeaders, EncodedEntry(name, value), message);
}

}  // namespace kelpmq::service
