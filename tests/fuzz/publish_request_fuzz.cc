// rpc/publish_request against protobuf's own parser: both take the same
// requests, and the messages come through byte by byte.

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "kelpmq/v1/messaging.pb.h"
#include "service/base/error.h"
#include "service/rpc/publish_request.h"
#include "tests/fuzz/require.h"

namespace kelpmq::service {
namespace {

// Groups, which no version of the API has, are refused by us and passed over
// by protobuf: the one difference.
bool HasGroup(const google::protobuf::UnknownFieldSet& fields) {
  for (int i = 0; i < fields.field_count(); ++i) {
    if (fields.field(i).type() == google::protobuf::UnknownField::TYPE_GROUP) {
      return true;
    }
  }
  return false;
}

bool HasGroup(const google::protobuf::Message& message) {
  const auto& reflection = *message.GetReflection();
  if (HasGroup(reflection.GetUnknownFields(message))) return true;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() !=
        google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    }
    if (!field->is_repeated()) {
      if (HasGroup(reflection.GetMessage(message, field))) return true;
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      if (HasGroup(reflection.GetRepeatedMessage(message, field, i))) {
        return true;
      }
    }
  }
  return false;
}

// Whether protobuf's verdict agrees with ours. A request whose items fail for
// other reasons is not read to its end, so it says nothing.
template <typename Request>
bool Agrees(const absl::StatusOr<PublishRequestData>& ours,
            absl::string_view input, Request* parsed) {
  const bool parses =
      parsed->ParseFromArray(input.data(), static_cast<int>(input.size()));
  if (ours.ok()) {
    if (!ours->failures.empty()) return false;
    Require(parses, "accepted what protobuf does not parse", input);
    return true;
  }
  if (HasReason(ours.status(), Reason::kMalformedRequest)) {
    Require(!parses || HasGroup(*parsed), "refused what protobuf parses",
            input);
  }
  return false;
}

void CheckItem(const PublishItem& item, const v1::Message& message,
               const std::string& exchange, const std::string& routing_key,
               absl::string_view input) {
  Require(item.message->exchange() == exchange, "exchange", input);
  Require(item.message->routing_key() == routing_key, "routing key", input);
  // Parsed again, what was kept is what the request said.
  v1::Message kept;
  const absl::string_view encoded = item.message->encoded();
  Require(
      kept.ParseFromArray(encoded.data(), static_cast<int>(encoded.size())) &&
          kept.SerializeAsString().size() ==
              message.SerializeAsString().size() &&
          kept.body() == message.body(),
      "message", input);
  Require(item.message->marks().payload_bytes == message.body().size(),
          "payload", input);
}

grpc::ByteBuffer BufferOf(absl::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

void CheckOne(absl::string_view input) {
  const auto ours = DecodePublishRequest(BufferOf(input), PublishLimits());
  v1::PublishRequest parsed;
  if (!Agrees(ours, input, &parsed)) return;
  Require(ours->vhost == parsed.vhost(), "vhost", input);
  Require(ours->sequence == parsed.sequence(), "sequence", input);
  Require(ours->items.size() == 1, "items", input);
  Require(ours->items[0].mandatory == parsed.mandatory(), "mandatory", input);
  CheckItem(ours->items[0], parsed.message(), parsed.exchange(),
            parsed.routing_key(), input);
}

void CheckBatch(absl::string_view input) {
  const auto ours = DecodePublishBatch(BufferOf(input), PublishLimits());
  v1::PublishStreamRequest parsed;
  if (!Agrees(ours, input, &parsed)) return;
  Require(ours->vhost == parsed.vhost(), "vhost", input);
  Require(ours->sequence == parsed.sequence(), "sequence", input);
  Require(ours->confirms == static_cast<int>(parsed.confirms()), "confirms",
          input);
  Require(ours->producer_id == parsed.producer_id(), "producer", input);
  Require(ours->items.size() == static_cast<size_t>(parsed.items_size()),
          "items", input);
  for (int i = 0; i < parsed.items_size(); ++i) {
    const v1::PublishItem& item = parsed.items(i);
    Require(
        ours->items[i].mandatory == (item.mandatory() || parsed.mandatory()),
        "mandatory", input);
    CheckItem(
        ours->items[i], item.message(),
        item.exchange().empty() ? parsed.exchange() : item.exchange(),
        item.routing_key().empty() ? parsed.routing_key() : item.routing_key(),
        input);
  }
}

}  // namespace
}  // namespace kelpmq::service

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  kelpmq::service::CheckOne(input);
  kelpmq::service::CheckBatch(input);
  return 0;
}
