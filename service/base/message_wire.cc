#include "service/base/message_wire.h"

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/error.h"
#include "service/base/message_fields.h"
#include "service/base/types.h"
#include "service/base/utf8.h"
#include "service/base/value_wire.h"
#include "service/base/wire_reader.h"

namespace kelpmq::service {
namespace {

constexpr uint64_t kPersistent = 2;  // delivery_mode
constexpr uint64_t kMaxOctet = 255;

constexpr auto kVarint = WireReader::kVarint;
constexpr auto kBytes = WireReader::kBytes;

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

// The name of a string property; empty if the field is none.
absl::string_view StringPropertyName(uint32_t field) {
  switch (field) {
    case message_field::kContentType:
      return "content_type";
    case message_field::kContentEncoding:
      return "content_encoding";
    case message_field::kCorrelationId:
      return "correlation_id";
    case message_field::kReplyTo:
      return "reply_to";
    case message_field::kExpiration:
      return "expiration";
    case message_field::kMessageId:
      return "message_id";
    case message_field::kType:
      return "type";
    case message_field::kUserId:
      return "user_id";
    case message_field::kAppId:
      return "app_id";
    case message_field::kClusterId:
      return "cluster_id";
    default:
      return "";
  }
}

absl::Status InvalidExpiration(absl::string_view text, absl::string_view why) {
  return MakeError(Reason::kInvalidExpiration,
                   absl::StrCat("invalid expiration '", text, "': ", why));
}

// As Erlang prints a list of bytes: quoted if it is text.
std::string ErlangString(absl::string_view bytes) {
  std::string quoted = "\"";
  for (const char c : bytes) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) {
      return absl::StrCat("[",
                          absl::StrJoin(bytes, ",",
                                        [](std::string* out, char byte) {
                                          absl::StrAppend(
                                              out, static_cast<uint8_t>(byte));
                                        }),
                          "]");
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// TTL-05.
absl::Status ParseExpiration(absl::string_view text, uint64_t* milliseconds) {
  size_t i = 0;
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') ++i;
  const size_t digits = i;
  uint64_t n = 0;
  bool overflow = false;
  for (; i < text.size() && absl::ascii_isdigit(text[i]); ++i) {
    const uint64_t digit = text[i] - '0';
    overflow |= n > (std::numeric_limits<uint64_t>::max() - digit) / 10;
    n = n * 10 + digit;
  }
  if (i == digits) return InvalidExpiration(text, "no_integer");
  if (i < text.size()) {
    return InvalidExpiration(
        text,
        absl::StrCat("{leftover_string,", ErlangString(text.substr(i)), "}"));
  }
  const bool negative_number = negative && (n != 0 || overflow);
  if (negative_number || overflow || n > kMaxExpiryMs) {
    absl::string_view number = text.substr(digits);
    while (number[0] == '0') number.remove_prefix(1);
    const absl::string_view why =
        negative_number ? "{value_negative,-" : "{value_too_large,";
    return InvalidExpiration(text, absl::StrCat(why, number, "}"));
  }
  *milliseconds = n;
  return absl::OkStatus();
}

// The state of the one pass over a message.
class MessageScanner {
 public:
  explicit MessageScanner(const MessageLimits& limits) : limits_(limits) {}

  absl::StatusOr<MessageFacts> Scan(absl::string_view encoded) {
    if (encoded.size() > limits_.max_message_bytes) {
      return MakeError(Reason::kMessageTooLarge,
                       absl::StrCat("message size ", encoded.size(),
                                    " is larger than configured max size ",
                                    limits_.max_message_bytes),
                       {{"limit", absl::StrCat(limits_.max_message_bytes)}});
    }
    size_t body_bytes = 0;  // with key and size
    const char* field_start = encoded.data();
    WireReader reader(encoded);
    while (reader.Next()) {
      absl::Status status;
      if (reader.wire_type() == kBytes) {
        const char* const field_end =
            reader.bytes().data() + reader.bytes().size();
        if (reader.field() == message_field::kBody) {
          body_bytes += field_end - field_start;
        }
        status = ScanBytes(reader.field(), reader.bytes());
      } else if (reader.wire_type() == kVarint) {
        status = ScanNumber(reader.field(), reader.varint());
      }
      if (!status.ok()) return status;
      field_start = reader.position();
    }
    if (!reader.ok()) return Malformed("broken wire format");
    if (encoded.size() - body_bytes > limits_.max_header_bytes) {
      return MakeError(
          Reason::kHeadersTooLarge,
          absl::StrCat("properties and headers have ",
                       encoded.size() - body_bytes, " bytes, more than ",
                       limits_.max_header_bytes),
          {{"limit", absl::StrCat(limits_.max_header_bytes)}});
    }
    return Finish();
  }

 private:
  absl::Status ScanBytes(uint32_t field, absl::string_view bytes) {
    if (field == message_field::kBody) {
      facts_.payload_bytes = static_cast<uint32_t>(bytes.size());
      return absl::OkStatus();
    }
    if (field == message_field::kHeaders) return ScanHeader(bytes);
    const absl::string_view property = StringPropertyName(field);
    if (property.empty()) return absl::OkStatus();
    if (!IsValidUtf8(bytes)) return BadUtf8(property);
    if (bytes.size() > limits_.max_shortstr_bytes) {
      return MakeError(
          Reason::kInvalidValue,
          absl::StrCat(property, " has ", bytes.size(), " bytes, more than ",
                       limits_.max_shortstr_bytes),
          {{"argument", property}});
    }
    if (field == message_field::kExpiration) expiration_ = bytes;
    if (field == message_field::kUserId) facts_.has_user_id = true;
    return absl::OkStatus();
  }

  absl::Status ScanHeader(absl::string_view entry) {
    facts_.has_headers = true;
    absl::string_view name, type;
    absl::Status status = ScanEntry(entry, limits_, &name, &type);
    if (!status.ok()) return status;
    if (name == "CC") cc_type_ = type;
    if (name == "BCC") bcc_type_ = type;
    if (name == "x-delay") facts_.has_delay = true;
    return absl::OkStatus();
  }

  absl::Status ScanNumber(uint32_t field, uint64_t number) {
    if (field == message_field::kDeliveryMode) {
      if (number > kMaxOctet) return OutOfRange("delivery_mode", 0, kMaxOctet);
      if (number > kPersistent) {
        return MakeError(
            Reason::kInvalidHeader,
            absl::StrCat("invalid message: {delivery_mode_unknown,", number,
                         "}"),
            {{"argument", "delivery_mode"}});
      }
      facts_.persistent = number == kPersistent;
    } else if (field == message_field::kPriority) {
      if (number > kMaxOctet) return OutOfRange("priority", 0, kMaxOctet);
      facts_.priority = static_cast<uint8_t>(number);
    }
    return absl::OkStatus();
  }

  // What only the last occurrence of a field decides.
  absl::StatusOr<MessageFacts> Finish() {
    if (!expiration_.empty()) {
      absl::Status status = ParseExpiration(expiration_, &facts_.expiration_ms);
      if (!status.ok()) return status;
      facts_.has_expiration = true;
    }
    for (const auto& [name, type] :
         {std::make_pair("CC", cc_type_), std::make_pair("BCC", bcc_type_)}) {
      if (type.empty()) continue;
      if (type != "array") {
        return MakeError(
            Reason::kInvalidHeader,
            absl::StrCat("invalid message: {unacceptable_type_in_header,\"",
                         name, "\",", type, "}"),
            {{"argument", name}});
      }
      facts_.has_sender_keys = true;
    }
    if (!bcc_type_.empty()) facts_.bcc = MessageMarks::Bcc::kHeader;
    return facts_;
  }

  const MessageLimits& limits_;
  MessageFacts facts_;
  absl::string_view expiration_;
  absl::string_view cc_type_;  // empty: no such header
  absl::string_view bcc_type_;
};

void AppendSenderKeys(const Table& headers, absl::string_view name,
                      std::vector<std::string>* keys) {
  const auto header = headers.find(name);
  if (header == headers.end()) return;
  const Array* const array = header->second.As<Array>();
  if (array == nullptr) return;
  for (const Value& element : *array) {
    if (const auto key = StringOf(element)) keys->emplace_back(*key);
  }
}

}  // namespace

absl::StatusOr<MessageFacts> ScanMessage(absl::string_view encoded,
                                         const MessageLimits& limits) {
  return MessageScanner(limits).Scan(encoded);
}

Table DecodeHeaders(absl::string_view encoded) {
  Table headers;
  WireReader reader(encoded);
  while (reader.Next()) {
    if (reader.Is(message_field::kHeaders, kBytes)) {
      DecodeEntry(reader.bytes(), &headers);
    }
  }
  return headers;
}

absl::string_view UserIdOf(absl::string_view encoded) {
  absl::string_view user_id;
  WireReader reader(encoded);
  while (reader.Next()) {
    if (reader.Is(message_field::kUserId, kBytes)) user_id = reader.bytes();
  }
  return user_id;
}

std::string PropertyText(absl::string_view encoded, absl::string_view name) {
  std::string text;
  WireReader reader(encoded);
  while (reader.Next()) {
    if (reader.wire_type() == kBytes &&
        StringPropertyName(reader.field()) == name) {
      text = std::string(reader.bytes());
    } else if (reader.Is(message_field::kTimestamp, kVarint) &&
               name == "timestamp") {
      text = reader.varint() == 0 ? "" : absl::StrCat(reader.varint());
    }
  }
  return text;
}

std::vector<std::string> SenderKeys(const Table& headers) {
  std::vector<std::string> keys;
  AppendSenderKeys(headers, "CC", &keys);
  AppendSenderKeys(headers, "BCC", &keys);
  return keys;
}

}  // namespace kelpmq::service
