// rpc/delivery_wire against protobuf's own parser: what is spliced together is
// what protobuf reads, and re-encodes as the same bytes.
// The first bytes of an input are numbers for the deliveries; the rest is a
// message, if it is one.

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "kelpmq/v1/messaging.pb.h"
#include "service/base/message_wire.h"
#include "service/rpc/delivery_wire.h"
#include "tests/fuzz/require.h"

namespace kelpmq::service {
namespace {

struct Numbers {
  uint64_t tag;
  uint32_t consumer_id;
  uint32_t delivery_count;
  uint8_t copies;
};
constexpr size_t kNumbersBytes = 17;

std::string TextOf(const grpc::ByteBuffer& buffer, absl::string_view input) {
  grpc::Slice slice;
  Require(buffer.DumpToSingleSlice(&slice).ok(), "no bytes", input);
  return std::string(reinterpret_cast<const char*>(slice.begin()),
                     slice.size());
}

void Check(const Numbers& numbers, absl::string_view encoded,
           const MessageFacts& facts, absl::string_view input) {
  const MessageRef message =
      Message::Create("exchange", "routing.key", encoded, facts);
  std::vector<TaggedDelivery> deliveries(numbers.copies);
  for (size_t i = 0; i < deliveries.size(); ++i) {
    deliveries[i].tag = numbers.tag + i;
    deliveries[i].consumer_id = numbers.consumer_id;
    deliveries[i].delivery.delivery_count = numbers.delivery_count;
    deliveries[i].delivery.message = message;
  }
  const std::string bytes = TextOf(EncodeConsumeDeliveries(deliveries), input);
  v1::ConsumeResponse response;
  Require(response.ParseFromString(bytes), "does not parse", input);
  Require(response.deliveries().deliveries_size() == numbers.copies, "count",
          input);
  v1::Message expected;
  Require(
      expected.ParseFromArray(encoded.data(), static_cast<int>(encoded.size())),
      "message does not parse", input);
  for (int i = 0; i < numbers.copies; ++i) {
    const v1::Delivery& delivery = response.deliveries().deliveries(i);
    Require(delivery.delivery_tag() == numbers.tag + i, "tag", input);
    Require(delivery.consumer_id() == numbers.consumer_id, "consumer", input);
    Require(delivery.delivery_count() == numbers.delivery_count, "deliveries",
            input);
    Require(delivery.redelivered() == (numbers.delivery_count > 0),
            "redelivered", input);
    Require(delivery.exchange() == "exchange", "exchange", input);
    Require(delivery.routing_key() == "routing.key", "routing key", input);
    Require(delivery.message().body() == expected.body(), "body", input);
  }
  // The publisher's bytes stand in the response as they came.
  Require(numbers.copies == 0 || encoded.empty() ||
              bytes.find(std::string(encoded)) != std::string::npos,
          "spliced", input);
}

}  // namespace
}  // namespace kelpmq::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kelpmq::service;  // NOLINT(google-build-using-namespace)
  if (size < kNumbersBytes) return 0;
  Numbers numbers;
  std::memcpy(&numbers.tag, data, 8);
  std::memcpy(&numbers.consumer_id, data + 8, 4);
  std::memcpy(&numbers.delivery_count, data + 12, 4);
  numbers.copies = data[16] % 8;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const absl::string_view encoded = input.substr(kNumbersBytes);
  const auto facts = ScanMessage(encoded, MessageLimits());
  if (facts.ok()) Check(numbers, encoded, *facts, input);
  return 0;
}
