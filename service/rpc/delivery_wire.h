#ifndef KELPMQ_SERVICE_RPC_DELIVERY_WIRE_H_
#define KELPMQ_SERVICE_RPC_DELIVERY_WIRE_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "service/base/types.h"

namespace kelpmq::service {

// Encodes responses that carry deliveries by splicing each message's bytes in:
// one buffer of the exact size, one copy per delivery, no protobuf objects.

// A delivery with the tag it goes out under.
struct TaggedDelivery {
  uint64_t tag = 0;          // 0: none (auto_ack Get)
  uint32_t consumer_id = 0;  // the client's id of the consumer
  // The stream's own name for it, whose room the delivery takes; not encoded.
  uint32_t consumer_key = 0;
  Delivery delivery;
};

// kelpmq.v1.ConsumeResponse { deliveries { deliveries... } }
grpc::ByteBuffer EncodeConsumeDeliveries(
    absl::Span<const TaggedDelivery> deliveries);

// A message of any type whose field `field_number` is `repeated Delivery`,
// followed by `rest`: its other fields, already encoded.
grpc::ByteBuffer EncodeWithDeliveries(
    int field_number, absl::Span<const TaggedDelivery> deliveries,
    absl::string_view rest);

// kelpmq.v1.ConsumeResponse { got { deliveries..., rest } }
grpc::ByteBuffer EncodeConsumeGot(absl::Span<const TaggedDelivery> deliveries,
                                  absl::string_view rest);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_DELIVERY_WIRE_H_
