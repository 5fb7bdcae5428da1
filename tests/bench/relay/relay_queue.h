#ifndef KELPMQ_TESTS_BENCH_RELAY_RELAY_QUEUE_H_
#define KELPMQ_TESTS_BENCH_RELAY_RELAY_QUEUE_H_

#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace kelpmq::bench {

// One request of a publisher, kept as long as one of its messages is queued.
struct RelayBatch {
  grpc::Slice bytes;
  std::string envelope;  // routing key and exchange, as a Delivery has them
  uint32_t refs = 0;     // messages that are queued, and who walks them
};

// A queued message: 16 bytes.
struct RelayEntry {
  RelayBatch* batch;
  uint32_t offset;
  uint32_t size;

  const char* bytes() const {
    return reinterpret_cast<const char*>(batch->bytes.begin()) + offset;
  }
};

inline void Unref(RelayBatch* batch) {
  if (--batch->refs == 0) delete batch;
}

// The only queue there is, and who wants to know of it.
class RelayQueue {
 public:
  class Consumer {
   public:
    virtual void OnReady() = 0;

   protected:
    ~Consumer() = default;
  };
  class Publisher {
   public:
    virtual void OnRoom() = 0;

   protected:
    ~Publisher() = default;
  };

  // Publishers are held back from `max_ready` messages on; 0: never.
  explicit RelayQueue(size_t max_ready) : max_ready_(max_ready) {}

  std::deque<RelayEntry>& ready() { return ready_; }
  bool full() const { return max_ready_ > 0 && ready_.size() >= max_ready_; }

  void AddConsumer(Consumer* consumer) { consumers_.push_back(consumer); }
  void RemoveConsumer(Consumer* consumer);
  void AddPublisher(Publisher* publisher) { held_.push_back(publisher); }
  void RemovePublisher(Publisher* publisher);

  // Offers what is ready, each time to another consumer first.
  void Offer();
  // After entries were taken.
  void TellRoom();

 private:
  const size_t max_ready_;
  std::deque<RelayEntry> ready_;
  std::vector<Consumer*> consumers_;
  size_t next_ = 0;
  std::vector<Publisher*> held_;
};

}  // namespace kelpmq::bench

#endif  // KELPMQ_TESTS_BENCH_RELAY_RELAY_QUEUE_H_
