#include "service/base/value.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kelpmq::service {
namespace {

template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

template <typename T>
constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

}  // namespace

std::optional<int64_t> IntegerOf(const Value& value) {
  return std::visit(
      [](const auto& v) -> std::optional<int64_t> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (kIsInteger<T>) {
          return static_cast<int64_t>(v);
        } else {
          return std::nullopt;
        }
      },
      value.variant());
}

std::optional<absl::string_view> StringOf(const Value& value) {
  if (const auto* s = value.As<std::string>()) return *s;
  if (const auto* s = value.As<RawString>()) return s->data;
  return std::nullopt;
}

namespace {

std::optional<int64_t> WholeNumberOf(const Value& value) {
  if (const auto* time = value.As<Timestamp>()) {
    return static_cast<int64_t>(time->seconds);
  }
  return IntegerOf(value);
}

std::optional<double> FloatOf(const Value& value) {
  if (const auto* number = value.As<float>()) return *number;
  if (const auto* number = value.As<double>()) return *number;
  return std::nullopt;
}

std::optional<absl::string_view> BytesOf(const Value& value) {
  if (const auto* bytes = value.As<Bytes>()) return bytes->data;
  return StringOf(value);
}

}  // namespace

bool SameArgument(const Value& a, const Value& b) {
  if (const auto number = WholeNumberOf(a)) return number == WholeNumberOf(b);
  if (const auto number = FloatOf(a)) return number == FloatOf(b);
  if (const auto bytes = BytesOf(a)) return bytes == BytesOf(b);
  return a == b;
}

absl::string_view AmqpTypeName(const Value& value) {
  // As rabbit_misc and the AMQP 0-9-1 parser of RabbitMQ name the field types.
  return std::visit(Overloaded{
                        [](const Void&) { return "void"; },
                        [](const std::string&) { return "longstr"; },
                        [](const RawString&) { return "longstr"; },
                        [](const Bytes&) { return "binary"; },
                        [](bool) { return "bool"; },
                        [](int8_t) { return "byte"; },
                        [](uint8_t) { return "unsignedbyte"; },
                        [](int16_t) { return "short"; },
                        [](uint16_t) { return "unsignedshort"; },
                        [](int32_t) { return "signedint"; },
                        [](uint32_t) { return "unsignedint"; },
                        [](int64_t) { return "long"; },
                        [](float) { return "float"; },
                        [](double) { return "double"; },
                        [](const Decimal&) { return "decimal"; },
                        [](const Timestamp&) { return "timestamp"; },
                        [](const Table&) { return "table"; },
                        [](const Array&) { return "array"; },
                    },
                    value.variant());
}

std::string DebugString(const Value& value) {
  return std::visit(
      Overloaded{
          [](const Void&) { return std::string("undefined"); },
          [](const std::string& s) { return absl::StrCat("\"", s, "\""); },
          [](const RawString& s) { return absl::StrCat("\"", s.data, "\""); },
          [](const Bytes& b) { return absl::StrCat(b.data.size(), " bytes"); },
          [](bool b) { return std::string(b ? "true" : "false"); },
          [](const Decimal& d) {
            return absl::StrCat(d.unscaled, "e-", d.scale);
          },
          [](const Timestamp& t) { return absl::StrCat(t.seconds); },
          [](const Table& t) { return absl::StrCat("a table of ", t.size()); },
          [](const Array& a) { return absl::StrCat("an array of ", a.size()); },
          [](auto number) { return absl::StrCat(+number); },
      },
      value.variant());
}

}  // namespace kelpmq::service
