#ifndef KELPMQ_SERVICE_QUEUE_HOLDERS_H_
#define KELPMQ_SERVICE_QUEUE_HOLDERS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// A sink that has consumers or deliveries in this queue.
struct Holder {
  SinkRef sink;
  std::vector<ConsumerId> consumers;  // rising
  size_t delivery_count = 0;
  // No delivery that it holds has a lower id.
  uint64_t first_delivery_id = 0;
  // Where in the effects being built this sink's latest event stands.
  size_t last_event = 0;
};

// Names a holder for as long as it has consumers or deliveries.
using HolderIndex = uint32_t;

// The sinks a queue has to do with. A sink is kept only while it has consumers
// or deliveries here, so that a queue and a stream never keep each other alive.
// Thread-safety: thread-compatible. Owned by one QueueCore.
class Holders {
 public:
  // The holder of `sink`, added if it is not there.
  HolderIndex Use(const SinkRef& sink);
  std::optional<HolderIndex> Find(const DeliverySink* sink) const;
  Holder& operator[](HolderIndex index) { return holders_[index]; }
  // Forgets the holder if nothing of it is left.
  void DropIfUnused(HolderIndex index);

  size_t size() const { return by_sink_.size(); }
  void Clear();

 private:
  std::vector<Holder> holders_;  // those without a sink are on free_
  std::vector<HolderIndex> free_;
  absl::flat_hash_map<const DeliverySink*, HolderIndex> by_sink_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_HOLDERS_H_
