#ifndef KELPMQ_VALUE_H_
#define KELPMQ_VALUE_H_

#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>

#include "google/protobuf/map.h"
#include "kelpmq/v1/types.pb.h"

namespace kelpmq {

// Headers of a message, arguments of a declaration: name -> v1::Value.
using Table = google::protobuf::Map<std::string, v1::Value>;

// A value for a table. Texts must be UTF-8; integers become 64 bits wide, as
// AMQP's `l`. For other kinds (bytes, timestamps, tables, widths) fill a
// v1::Value.
inline v1::Value ToValue(std::string text) {
  v1::Value value;
  value.set_string_value(std::move(text));
  return value;
}
inline v1::Value ToValue(const char* text) {
  return ToValue(std::string(text));
}
template <typename Number,
          std::enable_if_t<std::is_arithmetic_v<Number>, int> = 0>
v1::Value ToValue(Number number) {
  v1::Value value;
  if constexpr (std::is_same_v<Number, bool>) {
    value.set_bool_value(number);
  } else if constexpr (std::is_integral_v<Number>) {
    value.set_int64_value(number);
  } else {
    value.set_double_value(number);
  }
  return value;
}

// MakeTable({{"x-match", ToValue("all")}, {"year", ToValue(2026)}})
inline Table MakeTable(
    std::initializer_list<std::pair<const char*, v1::Value>> fields) {
  Table table;
  for (const auto& [name, value] : fields) table[name] = value;
  return table;
}

}  // namespace kelpmq

#endif  // KELPMQ_VALUE_H_
