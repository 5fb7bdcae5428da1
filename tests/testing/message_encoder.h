#ifndef KELPMQ_TESTS_TESTING_MESSAGE_ENCODER_H_
#define KELPMQ_TESTS_TESTING_MESSAGE_ENCODER_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <variant>

#include "absl/strings/string_view.h"
#include "service/base/message.h"
#include "service/base/message_wire.h"
#include "service/base/value.h"
#include "service/base/varint.h"

namespace kelpmq::service::testing {

// Writes protobuf wire format by hand, the broken kinds too.
class WireWriter {
 public:
  WireWriter& Varint(uint32_t field, uint64_t value) {
    Key(field, 0);
    Raw(value);
    return *this;
  }
  WireWriter& ZigZag(uint32_t field, int64_t value) {
    return Varint(field, (static_cast<uint64_t>(value) << 1) ^
                             static_cast<uint64_t>(value >> 63));
  }
  WireWriter& Bytes(uint32_t field, absl::string_view bytes) {
    Key(field, 2);
    Raw(bytes.size());
    out_.append(bytes.data(), bytes.size());
    return *this;
  }
  // A float or a double.
  template <typename T>
  WireWriter& Fixed(uint32_t field, T value) {
    Key(field, sizeof(T) == 8 ? 1 : 5);
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out_.append(bytes, sizeof(T));
    return *this;
  }
  WireWriter& Key(uint32_t field, uint32_t wire_type) {
    Raw((uint64_t{field} << 3) | wire_type);
    return *this;
  }
  WireWriter& Literal(absl::string_view bytes) {
    out_.append(bytes.data(), bytes.size());
    return *this;
  }
  const std::string& str() const { return out_; }

 private:
  void Raw(uint64_t value) {
    char bytes[kMaxVarintSize];
    out_.append(bytes, WriteVarint(bytes, value));
  }
  std::string out_;
};

// A kelpmq.v1.Value.
inline std::string EncodeValue(const Value& value);

// An entry of a map<string, kelpmq.v1.Value>.
inline std::string EncodeEntry(absl::string_view name, const Value& value) {
  return WireWriter().Bytes(1, name).Bytes(2, EncodeValue(value)).str();
}

inline std::string EncodeValue(const Value& value) {
  WireWriter out;
  std::visit(
      [&out](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string>) {
          out.Bytes(1, v);
        } else if constexpr (std::is_same_v<T, int64_t>) {
          out.ZigZag(2, v);
        } else if constexpr (std::is_same_v<T, bool>) {
          out.Varint(3, v);
        } else if constexpr (std::is_same_v<T, double>) {
          out.Fixed(4, v);
        } else if constexpr (std::is_same_v<T, Table>) {
          WireWriter table;
          for (const auto& [name, field] : v) {
            table.Bytes(1, EncodeEntry(name, field));
          }
          out.Bytes(5, table.str());
        } else if constexpr (std::is_same_v<T, Array>) {
          WireWriter array;
          for (const Value& element : v) array.Bytes(1, EncodeValue(element));
          out.Bytes(6, array.str());
        } else if constexpr (std::is_same_v<T, service::Bytes>) {
          out.Bytes(7, v.data);
        } else if constexpr (std::is_same_v<T, Timestamp>) {
          out.Varint(8, v.seconds);
        } else if constexpr (std::is_same_v<T, Void>) {
          out.Varint(9, 0);
        } else if constexpr (std::is_same_v<T, int32_t>) {
          out.ZigZag(10, v);
        } else if constexpr (std::is_same_v<T, int16_t>) {
          out.ZigZag(11, v);
        } else if constexpr (std::is_same_v<T, int8_t>) {
          out.ZigZag(12, v);
        } else if constexpr (std::is_same_v<T, uint8_t>) {
          out.Varint(13, v);
        } else if constexpr (std::is_same_v<T, uint16_t>) {
          out.Varint(14, v);
        } else if constexpr (std::is_same_v<T, uint32_t>) {
          out.Varint(15, v);
        } else if constexpr (std::is_same_v<T, float>) {
          out.Fixed(16, v);
        } else if constexpr (std::is_same_v<T, Decimal>) {
          out.Bytes(
              17, WireWriter().Varint(1, v.scale).Varint(2, v.unscaled).str());
        } else {
          static_assert(std::is_same_v<T, RawString>);
          out.Bytes(18, v.data);
        }
      },
      value.variant());
  return out.str();
}

// A kelpmq.v1.Message of these headers and nothing else.
inline std::string EncodeHeaders(const Table& headers) {
  WireWriter out;
  for (const auto& [name, value] : headers) {
    out.Bytes(2, EncodeEntry(name, value));
  }
  return out.str();
}

// What a message of MessageOf has; 0 and empty are absent.
struct MessageParts {
  std::string exchange;
  std::string routing_key = "q";
  std::string body;
  uint8_t priority = 0;
  std::string expiration;
  Table headers;
};

// A valid message as a publisher would send it. BodyOf reads its body.
inline MessageRef MessageOf(const MessageParts& parts) {
  WireWriter out;
  if (!parts.body.empty()) out.Bytes(1, parts.body);
  if (parts.priority != 0) out.Varint(6, parts.priority);
  if (!parts.expiration.empty()) out.Bytes(9, parts.expiration);
  out.Literal(EncodeHeaders(parts.headers));
  return Message::Create(parts.exchange, parts.routing_key, out.str(),
                         ScanMessage(out.str(), MessageLimits()).value());
}

// A message of valid headers, as the publisher's bytes would make it.
inline MessageRef MessageWithHeaders(absl::string_view exchange,
                                     absl::string_view routing_key,
                                     const Table& headers) {
  const std::string encoded = EncodeHeaders(headers);
  return Message::Create(exchange, routing_key, encoded,
                         ScanMessage(encoded, MessageLimits()).value());
}

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_MESSAGE_ENCODER_H_
