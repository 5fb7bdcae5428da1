#ifndef KELPMQ_SERVICE_BASE_VALUE_H_
#define KELPMQ_SERVICE_BASE_VALUE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

namespace kelpmq::service {

class Value;

// An AMQP field table. Ordered by key, so that two equal tables compare equal
// whatever order a client sent their fields in (BIND-03).
using Table = std::map<std::string, Value, std::less<>>;
using Array = std::vector<Value>;

// The AMQP field types that have no C++ type of their own.
struct Bytes {  // 'x'
  std::string data;
  bool operator==(const Bytes& o) const { return data == o.data; }
};
struct RawString {  // 'S' that is not valid UTF-8
  std::string data;
  bool operator==(const RawString& o) const { return data == o.data; }
};
struct Timestamp {  // 'T', whole seconds since 1970
  uint64_t seconds = 0;
  bool operator==(const Timestamp& o) const { return seconds == o.seconds; }
};
struct Decimal {  // 'D': unscaled / 10^scale
  uint8_t scale = 0;
  uint32_t unscaled = 0;
  bool operator==(const Decimal& o) const {
    return scale == o.scale && unscaled == o.unscaled;
  }
};
struct Void {  // 'V'
  bool operator==(const Void&) const { return true; }
};

// One AMQP field value with its exact wire type: int32 1 and int64 1 are
// different values (BIND-03); rules that compare by value say so themselves.
// Thread-safety: thread-compatible.
class Value {
 public:
  using Variant =
      std::variant<Void, std::string, RawString, Bytes, bool, int8_t, uint8_t,
                   int16_t, uint16_t, int32_t, uint32_t, int64_t, float, double,
                   Decimal, Timestamp, Table, Array>;

  Value() = default;
  template <typename T, typename = std::enable_if_t<
                            !std::is_same_v<std::decay_t<T>, Value> &&
                            std::is_constructible_v<Variant, T&&>>>
  // Implicit, so that tables can be written as initialiser lists.
  Value(T&& v)
      : v_(std::forward<T>(v)) {}  // NOLINT(google-explicit-constructor)
  Value(const char* s)
      : v_(std::string(s)) {}  // NOLINT(google-explicit-constructor)

  const Variant& variant() const { return v_; }
  template <typename T>
  const T* As() const {
    return std::get_if<T>(&v_);
  }
  // The T within, made empty first if another type is.
  template <typename T>
  T* MutableAs() {
    T* held = std::get_if<T>(&v_);
    return held != nullptr ? held : &v_.template emplace<T>();
  }
  bool operator==(const Value& o) const { return v_ == o.v_; }
  bool operator!=(const Value& o) const { return !(*this == o); }

 private:
  Variant v_;
};

// The value of an integer of any width, signed or not (QDECL-02 compares so);
// nullopt for every other type.
std::optional<int64_t> IntegerOf(const Value& value);

// The bytes of a string, valid UTF-8 or not; nullopt for every other type.
// The view lives as long as `value`.
std::optional<absl::string_view> StringOf(const Value& value);

// Whether RabbitMQ takes them for the same argument (QDECL-02): integers,
// timestamps and floating-point numbers of any width by their value, strings
// and byte arrays by their bytes; others if they are equal.
bool SameArgument(const Value& a, const Value& b);

// RabbitMQ's name of the type as its error texts have it: "longstr",
// "signedint", "long", "bool", "table", ...
absl::string_view AmqpTypeName(const Value& value);

// The value as RabbitMQ's error texts print it: `"text"`, `60000`, `true`.
std::string DebugString(const Value& value);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_VALUE_H_
