#ifndef KELPMQ_TESTS_TESTING_PLAIN_MESSAGE_H_
#define KELPMQ_TESTS_TESTING_PLAIN_MESSAGE_H_

#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "service/base/message.h"
#include "service/base/varint.h"

namespace kelpmq::service::testing {

// A message with a body and nothing else.
inline MessageRef PlainMessage(absl::string_view exchange,
                               absl::string_view routing_key,
                               absl::string_view body) {
  // Field 1 of kelpmq.v1.Message; an empty body is left out, as by protobuf.
  std::string encoded;
  if (!body.empty()) {
    char size[kMaxVarintSize];
    char* const end = WriteVarint(size, body.size());
    encoded.push_back('\x0a');
    encoded.append(size, end);
    encoded.append(body.data(), body.size());
  }
  MessageFacts facts;
  facts.payload_bytes = static_cast<uint32_t>(body.size());
  return Message::Create(exchange, routing_key, encoded, facts);
}

// The body of a message that PlainMessage made.
inline std::string BodyOf(const Message& message) {
  const absl::string_view encoded = message.encoded();
  if (encoded.empty()) return "";
  const char* const end = encoded.data() + encoded.size();
  uint64_t size = 0;
  const char* body = ReadVarint(encoded.data() + 1, end, &size);
  if (body == nullptr) std::abort();
  return std::string(body, size);
}

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_PLAIN_MESSAGE_H_
