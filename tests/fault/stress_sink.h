#ifndef KELPMQ_TESTS_FAULT_STRESS_SINK_H_
#define KELPMQ_TESTS_FAULT_STRESS_SINK_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/base/mutex.h"
#include "service/engine/engine.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service::testing {

// The engine stress test's measures, its account of every message, and the sink
// that checks deliveries against it.

inline constexpr int kThreads = 8;
inline constexpr int kProducers = 64;
inline constexpr int kConsumers = 64;
inline constexpr int kQueues = 200;  // stay to the end and are accounted for
inline constexpr int kExtraQueues = 24;  // come and go
inline constexpr int kRounds = 240;
inline constexpr int kMaxBatch = 6;
// Every kFanStep-th queue is bound to the exchange "fan" throughout.
inline constexpr int kFanStep = 50;
inline constexpr uint32_t kMessages = kProducers * kRounds * kMaxBatch;
inline constexpr char kVhost[] = "/";

using Random = std::mt19937;
inline int Pick(Random& random, int below) {
  return std::uniform_int_distribution<int>(0, below - 1)(random);
}

inline std::string QueueName(int queue) { return absl::StrCat("q", queue); }
inline std::string ExtraName(int extra) { return absl::StrCat("x", extra); }

// Reports the first few failures, so that a broken engine does not print
// millions.
inline void Complain(const std::string& what) {
  static std::atomic<int> complaints{0};
  if (complaints.fetch_add(1) < 20) ADD_FAILURE() << what;
}

// What has happened to each message in each queue. Lock-free, so that it orders
// nothing that the engine should order itself.
class Ledger {
 public:
  Ledger()
      : delivered_(size_t{kQueues} * kMessages),
        acked_(size_t{kQueues} * kMessages) {}

  void Delivered(int queue, uint32_t message, uint32_t delivery_count) {
    const uint32_t before = delivered_[At(queue, message)].fetch_add(1);
    if (before != delivery_count) {
      Complain(absl::StrCat(
          "message ", message, " in queue ", queue, " delivered ", before,
          " times before, but delivery_count says ", delivery_count));
    }
  }
  void Acked(int queue, uint32_t message) {
    if (acked_[At(queue, message)].fetch_add(1) != 0) {
      Complain(absl::StrCat("message ", message, " acked twice in ", queue));
    }
  }
  bool IsAcked(int queue, uint32_t message) const {
    return acked_[At(queue, message)].load() != 0;
  }
  uint64_t AckedCount() const {
    return std::count_if(acked_.begin(), acked_.end(),
                         [](const auto& acked) { return acked.load() != 0; });
  }

 private:
  static size_t At(int queue, uint32_t message) {
    return size_t{kMessages} * queue + message;
  }

  std::vector<std::atomic<uint8_t>> delivered_;
  std::vector<std::atomic<uint8_t>> acked_;
};

// What a sink has received and not yet settled.
struct Held {
  QueueRef queue;
  int number = -1;  // of the queue; -1: one that comes and goes
  uint32_t message = 0;
  uint64_t delivery_id = 0;
};

inline uint32_t MessageOf(const Delivery& delivery) {
  uint32_t message = 0;
  if (!absl::SimpleAtoi(BodyOf(*delivery.message), &message)) {
    Complain("foreign body");
  }
  return message;
}

// One stream: has consumers, holds deliveries, refuses some.
class StressSink : public DeliverySink {
 public:
  explicit StressSink(Ledger* ledger) : ledger_(ledger) {}

  // Before Engine::Consume is called with this key.
  void Expect(uint32_t consumer_key, int queue_number) {
    MutexLock lock(&mu_);
    consumers_[consumer_key].queue_number = queue_number;
  }
  void Started(uint32_t consumer_key, ConsumerRef ref) {
    MutexLock lock(&mu_);
    consumers_[consumer_key].ref = std::move(ref);
  }

  uint32_t Reserve(uint32_t, size_t, uint32_t) override {
    MutexLock lock(&mu_);
    if (room_ == 0) return 0;
    --room_;
    return 1;
  }
  void Deliver(uint32_t consumer_key,
               std::vector<Delivery> deliveries) override {
    MutexLock lock(&mu_);
    Consumer& consumer = consumers_[consumer_key];
    for (const Delivery& delivery : deliveries) {
      const uint32_t message = MessageOf(delivery);
      if (consumer.queue_number >= 0) {
        ledger_->Delivered(consumer.queue_number, message,
                           delivery.delivery_count);
        if (delivery.delivery_count == 0) CheckOrder(&consumer, message);
      }
      held_.push_back({consumer.ref.queue, consumer.queue_number, message,
                       delivery.delivery_id});
    }
  }
  void ConsumerCancelled(uint32_t consumer_key, CancelReason, absl::Status,
                         uint64_t) override {
    MutexLock lock(&mu_);
    if (consumers_[consumer_key].queue_number >= 0) {
      Complain("consumer of a lasting queue cancelled");
    }
  }
  void DeliveriesLost(const QueueRef& queue, absl::Span<const uint64_t> ids,
                      LostReason) override {
    MutexLock lock(&mu_);
    held_.erase(std::remove_if(held_.begin(), held_.end(),
                               [&](const Held& held) {
                                 return held.queue == queue &&
                                        std::binary_search(ids.begin(),
                                                           ids.end(),
                                                           held.delivery_id);
                               }),
                held_.end());
  }
  void CreditDrained(uint32_t, uint32_t) override {}

  void Hold(const GetResult& got, int queue_number) {
    MutexLock lock(&mu_);
    for (const Delivery& delivery : got.deliveries) {
      const uint32_t message = MessageOf(delivery);
      if (queue_number >= 0) {
        ledger_->Delivered(queue_number, message, delivery.delivery_count);
      }
      held_.push_back({got.queue, queue_number, message, delivery.delivery_id});
    }
  }

  std::vector<Held> TakeHeld() {
    MutexLock lock(&mu_);
    return std::exchange(held_, {});
  }
  void PutBack(Held held) {
    MutexLock lock(&mu_);
    held_.push_back(std::move(held));
  }
  std::vector<ConsumerRef> MakeRoom(size_t room) {
    MutexLock lock(&mu_);
    room_ = room;
    std::vector<ConsumerRef> refs;
    for (const auto& [key, consumer] : consumers_) {
      if (consumer.ref.queue != nullptr) refs.push_back(consumer.ref);
    }
    return refs;
  }

 private:
  struct Consumer {
    int queue_number = -1;
    ConsumerRef ref;
    // The last message of each producer that came for the first time.
    absl::flat_hash_map<uint32_t, uint32_t> last;
  };

  // A message that nobody got before cannot have been overtaken by a later one
  // of its producer.
  void CheckOrder(Consumer* consumer, uint32_t message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const uint32_t producer = message / (kRounds * kMaxBatch);
    auto [last, first] = consumer->last.try_emplace(producer, message);
    if (!first && message <= last->second) {
      Complain(absl::StrCat("message ", message, " after ", last->second));
    }
    last->second = message;
  }

  Ledger* const ledger_;
  Mutex mu_;
  size_t room_ ABSL_GUARDED_BY(mu_) = 20;
  absl::flat_hash_map<uint32_t, Consumer> consumers_ ABSL_GUARDED_BY(mu_);
  std::vector<Held> held_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_FAULT_STRESS_SINK_H_
