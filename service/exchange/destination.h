#ifndef KELPMQ_SERVICE_EXCHANGE_DESTINATION_H_
#define KELPMQ_SERVICE_EXCHANGE_DESTINATION_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "service/base/types.h"

namespace kelpmq::service {

struct Binding;        // binding.h
struct ExchangeEntry;  // routing_table.h

// Queues that routing has found. Most batches go to a few.
using ResolvedTargets = absl::InlinedVector<std::shared_ptr<RouteTarget>, 4>;

// Names a queue that routing has found. Never names another one: after the
// queue has gone, it names nothing.
struct TargetId {
  static constexpr uint32_t kNoSlot = std::numeric_limits<uint32_t>::max();

  uint32_t slot = kNoSlot;
  uint32_t generation = 0;  // tells the queues apart that had the slot

  bool operator==(const TargetId& o) const {
    return slot == o.slot && generation == o.generation;
  }
  template <typename H>
  friend H AbslHashValue(H h, const TargetId& id) {
    return H::combine(std::move(h), id.slot, id.generation);
  }
};

// What bindings lead to. Owned by the RoutingTable; its address is its
// identity. Half a cache line, with all else in a record apart: among many
// queues each look at one is a wait for memory.
struct Destination {
  struct Record {
    std::string name;
    std::vector<Binding*> incoming;     // in no order
    ExchangeEntry* exchange = nullptr;  // null: a queue
  };

  bool is_queue() const { return id.slot != TargetId::kNoSlot; }

  TargetId id;                         // of a queue
  std::shared_ptr<RouteTarget> queue;  // null: an exchange
  std::unique_ptr<Record> record;
};
static_assert(sizeof(Destination) <= 32);

// The destinations that are queues, side by side in memory and found by id.
// Thread-safety: thread-compatible. Equal calls have equal results.
class QueueDestinations {
 public:
  // The address holds until Remove.
  Destination* Add(const std::string& name, std::shared_ptr<RouteTarget> queue);
  void Remove(Destination* destination);

  // Null once the queue has gone.
  const Destination* Find(TargetId id) const;

 private:
  // Large enough to fill its pages, small enough for a broker of few queues.
  static constexpr size_t kBlockSlots = 256;

  Destination* At(uint32_t slot) const {
    return &blocks_[slot / kBlockSlots][slot % kBlockSlots];
  }

  std::vector<std::unique_ptr<Destination[]>> blocks_;
  std::vector<TargetId> free_;  // to be used next, generation and all
  uint32_t used_ = 0;           // slots below it have been used before
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_DESTINATION_H_
