#ifndef KELPMQ_SERVICE_BASE_MESSAGE_WIRE_H_
#define KELPMQ_SERVICE_BASE_MESSAGE_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/base/message.h"
#include "service/base/value.h"

namespace kelpmq::service {

// Reads an encoded kelpmq.v1.Message without parsing it into objects: what the
// hot path needs, and the checks that let the bytes be spliced into deliveries
// unchanged. No protobuf library: the wire format is walked by hand.

struct MessageLimits {
  size_t max_message_bytes = 4 * 1024 * 1024 - 64 * 1024;
  size_t max_header_bytes = 64 * 1024;  // all but the body, encoded
  int max_depth = 16;                   // tables and arrays within headers
  size_t max_key_bytes = 255;           // one header name
  size_t max_shortstr_bytes = 255;      // content_type, correlation_id, ...
};

// One pass over the message. Errors:
//   MALFORMED_REQUEST   broken wire format, or a string that is not UTF-8
//   MESSAGE_TOO_LARGE   over max_message_bytes
//   HEADERS_TOO_LARGE   over max_header_bytes, max_depth or max_key_bytes
//   INVALID_VALUE       a number outside its AMQP width, a Value without kind,
//                       a property over max_shortstr_bytes, priority > 255,
//                       delivery_mode > 255
//   INVALID_EXPIRATION  not a decimal number of milliseconds up to
//                       kMaxExpiryMs (TTL-05)
//   INVALID_HEADER      CC or BCC is not an array (CC-04), or an unknown
//                       delivery_mode
absl::StatusOr<MessageFacts> ScanMessage(absl::string_view encoded,
                                         const MessageLimits& limits);

// The headers of a message that ScanMessage has accepted. A name given twice
// keeps its last value, as protobuf maps do.
Table DecodeHeaders(absl::string_view encoded);

// The user_id property of a message that ScanMessage has accepted.
absl::string_view UserIdOf(absl::string_view encoded);

// A string property, or `timestamp` in decimal digits, of a message that
// ScanMessage has accepted; empty if it is not set.
std::string PropertyText(absl::string_view encoded, absl::string_view name);

// The further routing keys of CC and BCC (CC-01), in that order; elements that
// are not strings are skipped (CC-04).
std::vector<std::string> SenderKeys(const Table& headers);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_MESSAGE_WIRE_H_
