#include "service/base/value_wire.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/utf8.h"
#include "service/base/value_fields.h"
#include "service/base/wire_reader.h"

namespace kelpmq::service {
namespace {

constexpr uint64_t kMaxOctet = 255;

constexpr auto kVarint = WireReader::kVarint;
constexpr auto kFixed32 = WireReader::kFixed32;
constexpr auto kFixed64 = WireReader::kFixed64;
constexpr auto kBytes = WireReader::kBytes;

int64_t ZigZagDecode(uint64_t n) {
  return static_cast<int64_t>(n >> 1) ^ -static_cast<int64_t>(n & 1);
}

template <typename T>
T Fixed(absl::string_view bytes) {
  // Little-endian on the wire and on every platform we build for.
  T value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

absl::Status Malformed(absl::string_view what) {
  return MakeError(Reason::kMalformedRequest,
                   absl::StrCat("malformed message: ", what));
}
absl::Status BadUtf8(absl::string_view where) {
  return Malformed(absl::StrCat(where, " is not valid UTF-8"));
}
absl::Status OutOfRange(absl::string_view field, int64_t low, uint64_t high) {
  return MakeError(Reason::kInvalidValue,
                   absl::StrCat(field, " is outside ", low, "..", high),
                   {{"argument", field}});
}

// ---- Checking ----

// Checks header values, and says of which AMQP type the last one was.
class ValueScanner {
 public:
  explicit ValueScanner(const MessageLimits& limits) : limits_(limits) {}

  // One entry of a map<string, Value>; `depth` tables and arrays are around
  // it. On success `*name` is its key and `*type` RabbitMQ's name of its type.
  absl::Status ScanEntry(absl::string_view entry, int depth,
                         absl::string_view* name, absl::string_view* type) {
    *name = "";
    *type = "";
    WireReader reader(entry);
    while (reader.Next()) {
      if (reader.Is(kEntryKey, kBytes)) {
        *name = reader.bytes();
        if (name->size() > limits_.max_key_bytes) {
          return MakeError(
              Reason::kHeadersTooLarge,
              absl::StrCat("a header name has ", name->size(),
                           " bytes, more than ", limits_.max_key_bytes));
        }
        if (!IsValidUtf8(*name)) return BadUtf8("a header name");
      } else if (reader.Is(kEntryValue, kBytes)) {
        absl::Status status = ScanValue(reader.bytes(), depth, type);
        if (!status.ok()) return status;
      }
    }
    if (!reader.ok()) return Malformed("broken headers");
    return type->empty() ? NoKind() : absl::OkStatus();
  }

 private:
  static absl::Status NoKind() {
    return MakeError(Reason::kInvalidValue, "a header value has no kind set");
  }
  static absl::Status Signed(uint64_t varint, int64_t low, int64_t high) {
    const int64_t n = ZigZagDecode(varint);
    if (n >= low && n <= high) return absl::OkStatus();
    return OutOfRange("a header value", low, static_cast<uint64_t>(high));
  }
  static absl::Status Unsigned(uint64_t varint, uint64_t high) {
    if (varint <= high) return absl::OkStatus();
    return OutOfRange("a header value", 0, high);
  }

  // `*type` is left alone if no kind is set.
  absl::Status ScanValue(absl::string_view value, int depth,
                         absl::string_view* type) {
    WireReader reader(value);
    while (reader.Next()) {
      absl::Status status = ScanKind(reader, depth, type);
      if (!status.ok()) return status;
    }
    return reader.ok() ? absl::OkStatus() : Malformed("broken header value");
  }

  template <typename T>
  static constexpr int64_t Min() {
    return std::numeric_limits<T>::min();
  }
  template <typename T>
  static constexpr int64_t Max() {
    return std::numeric_limits<T>::max();
  }

  absl::Status ScanKind(const WireReader& reader, int depth,
                        absl::string_view* type) {
    switch (reader.wire_type()) {
      case kVarint:
        return ScanVarint(reader.field(), reader.varint(), type);
      case kFixed64:
        if (reader.field() == value_field::kDouble) *type = "double";
        return absl::OkStatus();
      case kFixed32:
        if (reader.field() == value_field::kFloat) *type = "float";
        return absl::OkStatus();
      case kBytes:
        break;
    }
    switch (reader.field()) {
      case value_field::kString:
        *type = "longstr";
        return IsValidUtf8(reader.bytes()) ? absl::OkStatus()
                                           : BadUtf8("a header value");
      case value_field::kRawString:
        *type = "longstr";
        return absl::OkStatus();
      case value_field::kBytes:
        *type = "binary";
        return absl::OkStatus();
      case value_field::kDecimal:
        *type = "decimal";
        return ScanDecimal(reader.bytes());
      case value_field::kTable:
        *type = "table";
        return ScanTable(reader.bytes(), depth + 1);
      case value_field::kArray:
        *type = "array";
        return ScanArray(reader.bytes(), depth + 1);
      default:
        return absl::OkStatus();
    }
  }

  static absl::Status ScanVarint(uint32_t field, uint64_t number,
                                 absl::string_view* type) {
    switch (field) {
      case value_field::kInt64:
        *type = "long";
        return absl::OkStatus();
      case value_field::kBool:
        *type = "bool";
        return absl::OkStatus();
      case value_field::kTimestamp:
        *type = "timestamp";
        return absl::OkStatus();
      case value_field::kNull:
        *type = "void";
        return absl::OkStatus();
      case value_field::kInt32:
        *type = "signedint";
        return Signed(number, Min<int32_t>(), Max<int32_t>());
      case value_field::kInt16:
        *type = "short";
        return Signed(number, Min<int16_t>(), Max<int16_t>());
      case value_field::kInt8:
        *type = "byte";
        return Signed(number, Min<int8_t>(), Max<int8_t>());
      case value_field::kUint8:
        *type = "unsignedbyte";
        return Unsigned(number, Max<uint8_t>());
      case value_field::kUint16:
        *type = "unsignedshort";
        return Unsigned(number, Max<uint16_t>());
      case value_field::kUint32:
        *type = "unsignedint";
        return Unsigned(number, Max<uint32_t>());
      default:
        return absl::OkStatus();
    }
  }

  static absl::Status ScanDecimal(absl::string_view decimal) {
    WireReader reader(decimal);
    while (reader.Next()) {
      absl::Status status;
      if (reader.Is(kDecimalScale, kVarint)) {
        status = Unsigned(reader.varint(), kMaxOctet);
      } else if (reader.Is(kDecimalUnscaled, kVarint)) {
        status = Unsigned(reader.varint(), Max<uint32_t>());
      }
      if (!status.ok()) return status;
    }
    return reader.ok() ? absl::OkStatus() : Malformed("broken decimal");
  }

  absl::Status CheckDepth(int depth) const {
    if (depth <= limits_.max_depth) return absl::OkStatus();
    return MakeError(Reason::kHeadersTooLarge,
                     absl::StrCat("headers nest deeper than ",
                                  limits_.max_depth, " tables and arrays"));
  }

  absl::Status ScanTable(absl::string_view table, int depth) {
    absl::Status status = CheckDepth(depth);
    if (!status.ok()) return status;
    WireReader reader(table);
    while (reader.Next()) {
      if (!reader.Is(kTableFields, kBytes)) continue;
      absl::string_view name, type;
      status = ScanEntry(reader.bytes(), depth, &name, &type);
      if (!status.ok()) return status;
    }
    return reader.ok() ? absl::OkStatus() : Malformed("broken table");
  }

  absl::Status ScanArray(absl::string_view array, int depth) {
    absl::Status status = CheckDepth(depth);
    if (!status.ok()) return status;
    WireReader reader(array);
    while (reader.Next()) {
      if (!reader.Is(kArrayValues, kBytes)) continue;
      absl::string_view type;
      status = ScanValue(reader.bytes(), depth, &type);
      if (!status.ok()) return status;
      if (type.empty()) return NoKind();
    }
    return reader.ok() ? absl::OkStatus() : Malformed("broken array");
  }

  const MessageLimits& limits_;
};

// ---- Decoding ----

// All decoders merge into what is there: a message field that occurs twice is
// legal protobuf, and means the merger of its parts.
void MergeTable(absl::string_view bytes, Table* table);

void MergeDecimal(absl::string_view bytes, Decimal* decimal) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(kDecimalScale, kVarint)) {
      decimal->scale = static_cast<uint8_t>(reader.varint());
    } else if (reader.Is(kDecimalUnscaled, kVarint)) {
      decimal->unscaled = static_cast<uint32_t>(reader.varint());
    }
  }
}

void MergeValue(absl::string_view bytes, Value* value);

void MergeArray(absl::string_view bytes, Array* array) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (!reader.Is(kArrayValues, kBytes)) continue;
    MergeValue(reader.bytes(), &array->emplace_back());
  }
}

void SetVarint(uint32_t field, uint64_t number, Value* value) {
  const int64_t zigzag = ZigZagDecode(number);
  switch (field) {
    case value_field::kInt64:
      *value = zigzag;
      break;
    case value_field::kBool:
      *value = number != 0;
      break;
    case value_field::kTimestamp:
      *value = Timestamp{number};
      break;
    case value_field::kNull:
      *value = Void{};
      break;
    case value_field::kInt32:
      *value = static_cast<int32_t>(zigzag);
      break;
    case value_field::kInt16:
      *value = static_cast<int16_t>(zigzag);
      break;
    case value_field::kInt8:
      *value = static_cast<int8_t>(zigzag);
      break;
    case value_field::kUint8:
      *value = static_cast<uint8_t>(number);
      break;
    case value_field::kUint16:
      *value = static_cast<uint16_t>(number);
      break;
    case value_field::kUint32:
      *value = static_cast<uint32_t>(number);
      break;
    default:
      break;
  }
}

void SetBytes(uint32_t field, absl::string_view bytes, Value* value) {
  switch (field) {
    case value_field::kString:
      *value = std::string(bytes);
      break;
    case value_field::kRawString:
      *value = RawString{std::string(bytes)};
      break;
    case value_field::kBytes:
      *value = Bytes{std::string(bytes)};
      break;
    case value_field::kDecimal:
      MergeDecimal(bytes, value->MutableAs<Decimal>());
      break;
    case value_field::kTable:
      MergeTable(bytes, value->MutableAs<Table>());
      break;
    case value_field::kArray:
      MergeArray(bytes, value->MutableAs<Array>());
      break;
    default:
      break;
  }
}

void MergeValue(absl::string_view bytes, Value* value) {
  WireReader reader(bytes);
  while (reader.Next()) {
    switch (reader.wire_type()) {
      case kVarint:
        SetVarint(reader.field(), reader.varint(), value);
        break;
      case kBytes:
        SetBytes(reader.field(), reader.bytes(), value);
        break;
      case kFixed64:
        if (reader.field() == value_field::kDouble) {
          *value = Fixed<double>(reader.bytes());
        }
        break;
      case kFixed32:
        if (reader.field() == value_field::kFloat) {
          *value = Fixed<float>(reader.bytes());
        }
        break;
    }
  }
}

void MergeTable(absl::string_view bytes, Table* table) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (reader.Is(kTableFields, kBytes)) DecodeEntry(reader.bytes(), table);
  }
}

}  // namespace

absl::Status ScanEntry(absl::string_view entry, const MessageLimits& limits,
                       absl::string_view* name, absl::string_view* type) {
  return ValueScanner(limits).ScanEntry(entry, /*depth=*/0, name, type);
}

void DecodeEntry(absl::string_view entry, Table* table) {
  absl::string_view name;
  Value value;
  WireReader reader(entry);
  while (reader.Next()) {
    if (reader.Is(kEntryKey, kBytes)) {
      name = reader.bytes();
    } else if (reader.Is(kEntryValue, kBytes)) {
      MergeValue(reader.bytes(), &value);
    }
  }
  table->insert_or_assign(std::string(name), std::move(value));
}

}  // namespace kelpmq::service
