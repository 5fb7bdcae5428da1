#ifndef KELPMQ_SERVICE_QUEUE_QUEUE_EFFECTS_H_
#define KELPMQ_SERVICE_QUEUE_QUEUE_EFFECTS_H_

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/base/types.h"
#include "service/engine/engine.h"
#include "service/queue/kept_letters.h"

namespace kelpmq::service {

// What is to be done after an operation of a QueueCore.
struct QueueEffects {
  // One call of DeliverySink each.
  struct Deliver {
    uint32_t consumer_key = 0;
    std::vector<Delivery> deliveries;
  };
  struct Cancel {
    uint32_t consumer_key = 0;
    CancelReason reason = CancelReason::kQueueDeleted;
    absl::Status error;
    uint64_t required_bytes = 0;
  };
  struct Lose {
    std::vector<uint64_t> delivery_ids;  // rising
    LostReason reason = LostReason::kQueueDeleted;
  };
  struct Drained {
    uint32_t consumer_key = 0;
    uint32_t unused_credit = 0;
  };
  using Event = std::variant<Deliver, Cancel, Lose, Drained>;
  struct SinkEvent {
    SinkRef sink;
    Event what;
  };
  struct AnsweredGet {
    uint64_t wait_id = 0;
    absl::StatusOr<GetResult> result;  // `queue` is left to the shell
  };

  // In order. Deliveries that follow each other at one sink and one consumer
  // are one event, whatever happened at other sinks in between.
  std::vector<SinkEvent> events;
  std::vector<AnsweredGet> answered;
  // To be made dead letters, in the order in which they died; empty without a
  // dead-letter exchange.
  std::vector<DeadMessage> dead;
  // The queue closed during this operation.
  std::optional<CancelReason> closed;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_QUEUE_EFFECTS_H_
