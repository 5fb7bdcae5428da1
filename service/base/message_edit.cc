#include "service/base/message_edit.h"

#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"
#include "service/base/message_fields.h"
#include "service/base/message_wire.h"
#include "service/base/value_encode.h"
#include "service/base/value_fields.h"
#include "service/base/wire_reader.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kDelayHeader = "x-delay";

// The name of a header from its encoded map entry: the last one counts.
absl::string_view NameOf(absl::string_view entry) {
  absl::string_view name;
  WireReader reader(entry);
  while (reader.Next()) {
    if (reader.Is(kEntryKey, WireReader::kBytes)) name = reader.bytes();
  }
  return name;
}

// The encoded message with every header of this name left out; these go to
// `taken`, if it is not null.
std::string WithoutHeader(absl::string_view encoded, absl::string_view name,
                          std::string* taken = nullptr) {
  std::string rest;
  rest.reserve(encoded.size());
  const char* field_start = encoded.data();
  WireReader reader(encoded);
  while (reader.Next()) {
    const bool is_it = reader.Is(message_field::kHeaders, WireReader::kBytes) &&
                       NameOf(reader.bytes()) == name;
    std::string* const to = is_it ? taken : &rest;
    if (to != nullptr) to->append(field_start, reader.position());
    field_start = reader.position();
  }
  return rest;
}

// The negated number as the same type if that can hold it.
Value Negated(const Value& value) {
  return std::visit(
      [](const auto& v) -> Value {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
          const int64_t negated = -static_cast<int64_t>(v);
          if (std::is_signed_v<T>) return static_cast<T>(negated);
          return negated;
        } else {
          return v;
        }
      },
      value.variant());
}

}  // namespace

MessageRef WithBccHidden(MessageRef message) {
  if (message->marks().bcc != MessageMarks::Bcc::kHeader) return message;
  MessageFacts facts = message->facts();
  facts.bcc = MessageMarks::Bcc::kHidden;
  std::string hidden;
  const std::string encoded =
      WithoutHeader(message->encoded(), kBccHeader, &hidden);
  facts.has_headers = !DecodeHeaders(encoded).empty();
  return Message::Create(message->exchange(), message->routing_key(), encoded,
                         facts, hidden);
}

std::optional<int64_t> DelayOf(const Table& headers) {
  const auto header = headers.find(kDelayHeader);
  if (header == headers.end()) return std::nullopt;
  const std::optional<int64_t> delay = IntegerOf(header->second);
  if (!delay.has_value() || *delay <= 0) return std::nullopt;
  return delay;
}

MessageRef WithDelayServed(MessageRef message) {
  if (!message->marks().has_delay) return message;
  const Table headers = DecodeHeaders(message->encoded());
  if (!DelayOf(headers).has_value()) return message;
  std::string encoded = WithoutHeader(message->encoded(), kDelayHeader);
  AppendHeader(kDelayHeader, Negated(headers.find(kDelayHeader)->second),
               &encoded);
  return Message::Create(message->exchange(), message->routing_key(), encoded,
                         message->facts(), message->hidden_header());
}

}  // namespace kelpmq::service
