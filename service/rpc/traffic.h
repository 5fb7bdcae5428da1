#ifndef KELPMQ_SERVICE_RPC_TRAFFIC_H_
#define KELPMQ_SERVICE_RPC_TRAFFIC_H_

#include <atomic>
#include <cstdint>

#include "absl/status/statusor.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// A number that only grows, and that nothing else hangs on.
// Thread-safety: thread-safe.
class Counter {
 public:
  void Add(uint64_t count) {
    if (count > 0) value_.fetch_add(count, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// What has come in and gone out since the start, in messages. Added to once for
// each request and response, not for each message.
// Thread-safety: thread-safe; the counters agree with each other only at rest.
struct Traffic {
  // Publishing. On a line of the cache apart from receiving, which other
  // threads do.
  alignas(64) Counter received;  // also those that failed
  Counter received_confirm;      // of these, wanting confirms
  Counter confirmed;
  Counter routed;               // copies that queues took
  Counter unroutable_dropped;   // not mandatory
  Counter unroutable_returned;  // mandatory
  // Receiving.
  alignas(64) Counter delivered_manual_ack;
  Counter delivered_auto_ack;
  Counter got_manual_ack;
  Counter got_auto_ack;
  Counter got_nothing;  // gets, not messages
  Counter redelivered;  // of all these
  Counter acknowledged;
};

// One request's worth. `items`: also those that were refused before the engine
// saw them.
void CountPublished(uint32_t items, bool wants_confirm,
                    const absl::StatusOr<PublishResult>& result,
                    Traffic* traffic);
// One reply's worth of a get; none: it found nothing.
void CountGot(const std::vector<Delivery>& deliveries, bool auto_ack,
              Traffic* traffic);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_TRAFFIC_H_
