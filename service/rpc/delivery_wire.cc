#include "service/rpc/delivery_wire.h"

#include <grpcpp/support/slice.h>

#include <cstring>

#include "absl/container/inlined_vector.h"
#include "service/base/varint.h"

namespace kelpmq::service {
namespace {

constexpr uint32_t kVarint = 0;
constexpr uint32_t kLengthDelimited = 2;

// What a full outbox holds: more take an allocation.
constexpr size_t kUsualDeliveries = 256;

constexpr uint32_t FieldKey(uint32_t number, uint32_t wire_type) {
  return number << 3 | wire_type;
}

// Fields of kelpmq.v1.Delivery that are not in Message::wire().
constexpr char kTagKey = FieldKey(1, kVarint);
constexpr char kRedeliveredKey = FieldKey(5, kVarint);
constexpr char kConsumerIdKey = FieldKey(6, kVarint);
constexpr char kDeliveryCountKey = FieldKey(7, kVarint);

// Fields around it.
constexpr uint32_t kConsumeResponseDeliveries = 1;
constexpr uint32_t kConsumeResponseGot = 9;
constexpr uint32_t kDeliveryBatchDeliveries = 1;
constexpr uint32_t kStreamGotDeliveries = 2;

size_t VarintFieldSize(uint64_t value) {
  return value == 0 ? 0 : 1 + VarintSize(value);
}

size_t EncodedSize(const TaggedDelivery& tagged) {
  const Delivery& delivery = tagged.delivery;
  return VarintFieldSize(tagged.tag) + delivery.message->wire().size() +
         (delivery.delivery_count > 0 ? 2 : 0) +
         VarintFieldSize(tagged.consumer_id) +
         VarintFieldSize(delivery.delivery_count);
}

char* WriteVarintField(char* out, char key, uint64_t value) {
  if (value == 0) return out;
  *out++ = key;
  return WriteVarint(out, value);
}

char* WriteDelivery(char* out, const TaggedDelivery& tagged) {
  const Delivery& delivery = tagged.delivery;
  out = WriteVarintField(out, kTagKey, tagged.tag);
  const absl::string_view wire = delivery.message->wire();
  std::memcpy(out, wire.data(), wire.size());
  out += wire.size();
  out = WriteVarintField(out, kRedeliveredKey, delivery.delivery_count > 0);
  out = WriteVarintField(out, kConsumerIdKey, tagged.consumer_id);
  return WriteVarintField(out, kDeliveryCountKey, delivery.delivery_count);
}

// `outer_field` != 0: the whole is one sub-message under that number.
grpc::ByteBuffer Encode(uint32_t outer_field, uint32_t deliveries_field,
                        absl::Span<const TaggedDelivery> deliveries,
                        absl::string_view rest) {
  const uint32_t key = FieldKey(deliveries_field, kLengthDelimited);
  const size_t key_size = VarintSize(key);
  absl::InlinedVector<size_t, kUsualDeliveries> sizes;
  size_t inner = rest.size();
  for (const TaggedDelivery& tagged : deliveries) {
    sizes.push_back(EncodedSize(tagged));
    inner += key_size + VarintSize(sizes.back()) + sizes.back();
  }
  const uint32_t outer_key = FieldKey(outer_field, kLengthDelimited);
  const size_t prefix =
      outer_field == 0 ? 0 : VarintSize(outer_key) + VarintSize(inner);
  grpc_slice slice = grpc_slice_malloc(prefix + inner);
  char* out = reinterpret_cast<char*>(GRPC_SLICE_START_PTR(slice));
  if (outer_field != 0) {
    out = WriteVarint(out, outer_key);
    out = WriteVarint(out, inner);
  }
  for (size_t i = 0; i < deliveries.size(); ++i) {
    out = WriteVarint(out, key);
    out = WriteVarint(out, sizes[i]);
    out = WriteDelivery(out, deliveries[i]);
  }
  if (!rest.empty()) std::memcpy(out, rest.data(), rest.size());
  const grpc::Slice owned(slice, grpc::Slice::STEAL_REF);
  return grpc::ByteBuffer(&owned, 1);
}

}  // namespace

grpc::ByteBuffer EncodeConsumeDeliveries(
    absl::Span<const TaggedDelivery> deliveries) {
  return Encode(kConsumeResponseDeliveries, kDeliveryBatchDeliveries,
                deliveries, "");
}

grpc::ByteBuffer EncodeWithDeliveries(
    int field_number, absl::Span<const TaggedDelivery> deliveries,
    absl::string_view rest) {
  return Encode(0, static_cast<uint32_t>(field_number), deliveries, rest);
}

grpc::ByteBuffer EncodeConsumeGot(absl::Span<const TaggedDelivery> deliveries,
                                  absl::string_view rest) {
  return Encode(kConsumeResponseGot, kStreamGotDeliveries, deliveries, rest);
}

}  // namespace kelpmq::service
