#ifndef KELPMQ_SERVICE_RPC_LIMITS_H_
#define KELPMQ_SERVICE_RPC_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "service/base/message_wire.h"

namespace kelpmq::service {

// What one request, stream or vhost may take. The defaults fit every gRPC
// client as it comes: raise them only together with the clients' own limits.
struct Limits {
  // One message: MESSAGE_TOO_LARGE, HEADERS_TOO_LARGE, INVALID_VALUE.
  MessageLimits message;
  // PublishBatch and PublishStream, items in one request: INVALID_ARGUMENT.
  uint32_t max_batch_items = 10'000;
  // Consume and Subscribe. The first holds deliveries back, also at prefetch 0;
  // the second is LIMIT_EXCEEDED.
  uint32_t max_unacked_per_stream = 65'535;
  uint32_t max_consumers_per_stream = 256;
  // LIMIT_EXCEEDED each.
  uint32_t max_sessions = 10'000;
  uint32_t max_get_leases = 100'000;
  // What one PublishStream may leave unconfirmed before its client is no
  // longer read.
  uint32_t max_unconfirmed_items = 10'000;
  size_t max_unconfirmed_bytes = 64 * 1024 * 1024;

  // Room in a request for all that is not the message.
  static constexpr size_t kRequestOverheadBytes = 64 * 1024;
  // Over it gRPC itself answers RESOURCE_EXHAUSTED.
  size_t max_request_bytes() const {
    return message.max_message_bytes + kRequestOverheadBytes;
  }
};

// How far each limit can be raised.
inline constexpr size_t kHighestMessageBytes = 128 * 1024 * 1024;
inline constexpr size_t kHighestHeaderBytes = 128 * 1024;
inline constexpr uint32_t kHighestBatchItems = 100'000;
inline constexpr uint32_t kHighestUnackedPerStream = uint32_t{1} << 31;
inline constexpr uint32_t kHighestConsumersPerStream = 4096;

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_LIMITS_H_
