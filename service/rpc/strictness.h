#ifndef KELPMQ_SERVICE_RPC_STRICTNESS_H_
#define KELPMQ_SERVICE_RPC_STRICTNESS_H_

#include "absl/status/status.h"
#include "service/base/types.h"

namespace kelpmq::service {

// What is refused though this broker could do it, so that code which another
// broker would refuse is found early.
enum class Strictness {
  kNone,
  // What RabbitMQ 4.3 denies unless it is configured to permit it: queues that
  // are neither durable nor exclusive, and prefetch of a whole stream.
  kRabbitMq43,
};

// INTERNAL_ERROR (541), as RabbitMQ has it, if the queue may not be declared
// (QDECL-04).
absl::Status CheckStrictly(Strictness strictness, const QueueSpec& queue);
// The same for a prefetch that spans a stream's consumers (AMQP's global qos).
absl::Status CheckStreamPrefetch(Strictness strictness);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_STRICTNESS_H_
