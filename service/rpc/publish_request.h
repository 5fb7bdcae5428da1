#ifndef KELPMQ_SERVICE_RPC_PUBLISH_REQUEST_H_
#define KELPMQ_SERVICE_RPC_PUBLISH_REQUEST_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "service/base/message_wire.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// What a message takes in memory besides its bytes in the request, roughly.
inline constexpr size_t kMessageOverheadBytes = 64;

// Publish requests, read off the wire by hand so that each `message` stays
// opaque: its bytes are checked once, kept once, and spliced into deliveries.

struct PublishLimits {
  MessageLimits message;
  uint32_t max_batch_items = 10'000;
};

// PublishRequest, PublishBatchRequest and PublishStreamRequest in one shape.
struct PublishRequestData {
  std::string vhost;
  std::string producer_id;
  uint64_t sequence = 0;
  int confirms = 0;  // kelpmq.v1.ConfirmMode

  // Items that passed their checks, and for each its place in the request.
  std::vector<PublishItem> items;
  std::vector<uint32_t> item_index;
  // Items that did not, by place.
  std::vector<PublishFailure> failures;
  uint32_t item_count = 0;    // all of them
  bool has_user_ids = false;  // of at least one item
  std::string exchange;       // of a request without items
};

// The whole request fails with MALFORMED_REQUEST (broken wire format, a string
// that is not UTF-8) or INVALID_VALUE (too many items). Names that are too long
// and messages over a limit fail alone, in `failures`.
absl::StatusOr<PublishRequestData> DecodePublishRequest(
    const grpc::ByteBuffer& bytes, const PublishLimits& limits);
// PublishBatchRequest and PublishStreamRequest share their wire form.
absl::StatusOr<PublishRequestData> DecodePublishBatch(
    const grpc::ByteBuffer& bytes, const PublishLimits& limits);

// Turns the engine's failures, which count its own items, into those of the
// request, and joins them with the request's own, by place.
std::vector<PublishFailure> MergeFailures(
    std::vector<PublishFailure> own, const std::vector<uint32_t>& item_index,
    std::vector<PublishFailure> from_engine);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_PUBLISH_REQUEST_H_
