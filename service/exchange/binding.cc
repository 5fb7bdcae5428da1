#include "service/exchange/binding.h"

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <variant>

#include "absl/strings/string_view.h"

namespace kelpmq::service {
namespace {

void AppendTable(const Table& table, std::string* out);

template <typename T>
void AppendRaw(const T& number, std::string* out) {
  static_assert(std::is_arithmetic_v<T>);
  char bytes[sizeof(T)];
  std::memcpy(bytes, &number, sizeof(T));
  out->append(bytes, sizeof(T));
}

void AppendSized(absl::string_view bytes, std::string* out) {
  AppendRaw<uint64_t>(bytes.size(), out);
  out->append(bytes.data(), bytes.size());
}

void AppendValue(const Value& value, std::string* out) {
  out->push_back(static_cast<char>(value.variant().index()));
  std::visit(
      [out](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_arithmetic_v<T>) {
          AppendRaw(v, out);
        } else if constexpr (std::is_same_v<T, std::string>) {
          AppendSized(v, out);
        } else if constexpr (std::is_same_v<T, RawString> ||
                             std::is_same_v<T, Bytes>) {
          AppendSized(v.data, out);
        } else if constexpr (std::is_same_v<T, Decimal>) {
          AppendRaw(v.scale, out);
          AppendRaw(v.unscaled, out);
        } else if constexpr (std::is_same_v<T, Timestamp>) {
          AppendRaw(v.seconds, out);
        } else if constexpr (std::is_same_v<T, Table>) {
          AppendTable(v, out);
        } else if constexpr (std::is_same_v<T, Array>) {
          AppendRaw<uint64_t>(v.size(), out);
          for (const Value& element : v) AppendValue(element, out);
        } else {
          static_assert(std::is_same_v<T, Void>);
        }
      },
      value.variant());
}

void AppendTable(const Table& table, std::string* out) {
  AppendRaw<uint64_t>(table.size(), out);
  for (const auto& [name, value] : table) {
    AppendSized(name, out);
    AppendValue(value, out);
  }
}

}  // namespace

std::string ArgumentsIdentity(const Table& arguments) {
  std::string identity;
  if (!arguments.empty()) AppendTable(arguments, &identity);
  return identity;
}

}  // namespace kelpmq::service
