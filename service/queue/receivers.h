#ifndef KELPMQ_SERVICE_QUEUE_RECEIVERS_H_
#define KELPMQ_SERVICE_QUEUE_RECEIVERS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "service/base/types.h"
#include "service/engine/engine.h"
#include "service/queue/dispatcher.h"
#include "service/queue/holders.h"

namespace kelpmq::service {

// Those who take a queue's messages in turn. Owned by one QueueCore.

// What a message counts in a byte window: body and properties.
inline size_t WindowBytes(const Message& message) {
  return message.encoded().size();
}

struct Consumer : Taker {
  ConsumerId id = 0;
  HolderIndex holder = 0;
  uint32_t consumer_key = 0;
  size_t max_delivery_bytes = SIZE_MAX;
  std::optional<absl::Duration> delivery_timeout;  // unset: the queue's
  bool draining = false;
  ConsumerInfo info;  // counts and `active` are left to ListConsumers
};

// A get that found nothing and waits for one message.
struct WaitingGet : Taker {
  uint64_t wait_id = 0;
  SinkRef holder;
  size_t max_bytes = SIZE_MAX;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_RECEIVERS_H_
