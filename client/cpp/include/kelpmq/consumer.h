#ifndef KELPMQ_CONSUMER_H_
#define KELPMQ_CONSUMER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kelpmq/delivery.h"
#include "kelpmq/v1/messaging.pb.h"
#include "kelpmq/value.h"

namespace kelpmq {

// Called for each delivery, one at a time (unless ClientOptions::executor runs
// several at once), on the polling thread or the executor. May settle, publish,
// or keep the delivery for later.
using DeliveryHandler = std::function<void(Delivery)>;

struct ConsumerOptions {
  ConsumerOptions() = default;
  explicit ConsumerOptions(std::string of_queue) : queue(std::move(of_queue)) {}

  std::string queue;
  // Instead of `queue`: one made for this consumer, with these bindings, gone
  // when it is.
  std::optional<v1::TemporaryQueue> temporary_queue;

  // How many deliveries may be unsettled. Unset: the broker's default, 100;
  // 0: as many as a stream may have, 65,535.
  std::optional<uint32_t> prefetch_count;
  // Settled as soon as sent: what is on the way is lost with the stream.
  bool auto_ack = false;
  bool exclusive = false;    // the queue's only consumer
  int32_t priority = 0;      // higher ones get messages first
  std::string consumer_tag;  // empty: the broker makes one
  Table arguments;
  // After this time a delivery that is still unsettled is requeued. Unset: what
  // the queue says, else never.
  std::optional<absl::Duration> delivery_timeout;

  // The consumer is over, by the broker's doing: its queue was deleted
  // (kNotFound QUEUE_DELETED), or it could not be started again after a
  // reconnect. Called once, on the polling thread; must not block.
  std::function<void(const absl::Status&)> on_cancelled;
  // Deliveries first..last are not this consumer's any more (a timeout, a
  // deleted queue), or could not be settled. As on_cancelled.
  std::function<void(uint64_t first, uint64_t last, const absl::Status&)>
      on_lost;

  // How long closing waits for the broker to have taken the last settles.
  absl::Duration close_timeout = absl::Seconds(5);
};

// A consumer on a stream of its own: the AMQP channel with one consumer. When
// the stream breaks it starts again on the next one; what was unsettled has
// been requeued then, and comes again, as redelivered.
//
// Acks gather into one request while another is on its way.
// Thread-safety: thread-safe, but for the destructor.
class Consumer {
 public:
  // Sends the settles that are left, ends the stream, and waits until no
  // handler runs; none runs afterwards. Inside of a handler of this consumer it
  // waits for nothing. Deliveries that are still unsettled are requeued by the
  // broker; settling them reports kDeliveryLost.
  virtual ~Consumer() = default;

  // Asks for no more deliveries. Those under way still come, and may be settled
  // as long as the consumer exists. Does not block.
  virtual void Cancel() = 0;

  // Waits until the broker has taken every settle that was made before.
  //   Errors: kDeadlineExceeded after `timeout`; kFailedPrecondition on the
  //   polling thread; kDeliveryLost if the stream breaks meanwhile.
  virtual absl::Status Flush(absl::Duration timeout) = 0;

  // OK while it consumes or is about to again, else what ended it.
  virtual absl::Status status() const = 0;
  virtual std::string queue() const = 0;
  virtual std::string consumer_tag() const = 0;
};

struct GetOptions {
  uint32_t max_messages = 1;  // up to 1000
  // How long to wait for the first one, at most 60 s.
  absl::Duration wait = absl::ZeroDuration();
  bool auto_ack = false;
  // What is unsettled after this time is requeued: 1 s to 12 h.
  absl::Duration lease = absl::Minutes(5);
};

}  // namespace kelpmq

#endif  // KELPMQ_CONSUMER_H_
