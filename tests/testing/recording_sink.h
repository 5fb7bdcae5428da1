#ifndef KELPMQ_TESTS_TESTING_RECORDING_SINK_H_
#define KELPMQ_TESTS_TESTING_RECORDING_SINK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "service/base/mutex.h"
#include "service/engine/engine.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service::testing {

// Keeps what the engine tells it. Has room without end unless told otherwise.
// Thread-safe.
class RecordingSink : public DeliverySink {
 public:
  struct Delivered {
    uint32_t consumer_key = 0;
    Delivery delivery;
  };
  struct Cancelled {
    uint32_t consumer_key = 0;
    CancelReason reason = CancelReason::kClientRequest;
    absl::Status error;
    uint64_t required_bytes = 0;
  };
  struct Lost {
    QueueRef queue;
    std::vector<uint64_t> delivery_ids;
    LostReason reason = LostReason::kQueueDeleted;
  };
  struct Drained {
    uint32_t consumer_key = 0;
    uint32_t unused_credit = 0;
  };

  // Room for so many deliveries more.
  void set_room(size_t deliveries) {
    MutexLock lock(&mu_);
    room_ = deliveries;
  }

  uint32_t Reserve(uint32_t /*consumer_key*/, size_t bytes,
                   uint32_t /*wanted*/) override {
    MutexLock lock(&mu_);
    reserved_bytes_.push_back(bytes);
    if (room_ == 0) return 0;
    if (room_ != SIZE_MAX) --room_;
    return 1;
  }
  void Deliver(uint32_t consumer_key,
               std::vector<Delivery> deliveries) override {
    MutexLock lock(&mu_);
    ++deliver_calls_;
    for (Delivery& delivery : deliveries) {
      delivered_.push_back({consumer_key, std::move(delivery)});
    }
  }
  void ConsumerCancelled(uint32_t consumer_key, CancelReason reason,
                         absl::Status error, uint64_t required_bytes) override {
    MutexLock lock(&mu_);
    cancelled_.push_back(
        {consumer_key, reason, std::move(error), required_bytes});
  }
  void DeliveriesLost(const QueueRef& queue,
                      absl::Span<const uint64_t> delivery_ids,
                      LostReason reason) override {
    MutexLock lock(&mu_);
    lost_.push_back(
        {queue, {delivery_ids.begin(), delivery_ids.end()}, reason});
  }
  void CreditDrained(uint32_t consumer_key, uint32_t unused_credit) override {
    MutexLock lock(&mu_);
    drained_.push_back({consumer_key, unused_credit});
  }

  // All so far, in order.
  std::vector<Delivered> delivered() const {
    MutexLock lock(&mu_);
    return delivered_;
  }
  std::vector<Cancelled> cancelled() const {
    MutexLock lock(&mu_);
    return cancelled_;
  }
  std::vector<Lost> lost() const {
    MutexLock lock(&mu_);
    return lost_;
  }
  std::vector<Drained> drained() const {
    MutexLock lock(&mu_);
    return drained_;
  }
  size_t deliver_calls() const {
    MutexLock lock(&mu_);
    return deliver_calls_;
  }
  std::vector<size_t> reserved_bytes() const {
    MutexLock lock(&mu_);
    return reserved_bytes_;
  }

  // The bodies of PlainMessages delivered so far.
  std::vector<std::string> bodies() const {
    std::vector<std::string> bodies;
    for (const Delivered& d : delivered()) {
      bodies.push_back(BodyOf(*d.delivery.message));
    }
    return bodies;
  }

 private:
  mutable Mutex mu_;
  size_t room_ ABSL_GUARDED_BY(mu_) = SIZE_MAX;
  size_t deliver_calls_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<size_t> reserved_bytes_ ABSL_GUARDED_BY(mu_);
  std::vector<Delivered> delivered_ ABSL_GUARDED_BY(mu_);
  std::vector<Cancelled> cancelled_ ABSL_GUARDED_BY(mu_);
  std::vector<Lost> lost_ ABSL_GUARDED_BY(mu_);
  std::vector<Drained> drained_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_RECORDING_SINK_H_
