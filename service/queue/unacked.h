#ifndef KELPMQ_SERVICE_QUEUE_UNACKED_H_
#define KELPMQ_SERVICE_QUEUE_UNACKED_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "service/queue/deadline.h"
#include "service/queue/holders.h"
#include "service/queue/ready_run.h"

namespace kelpmq::service {

// A delivery that is out.
struct UnackedDelivery {
  QueuedMessage message;
  uint64_t consumer_id = 0;  // 0: a get
  Deadline deadline;         // to settle it
  HolderIndex holder = 0;
};

// What is out, by delivery id, to whom, and until when.
//
// Ids rise by one, so a deque indexed by id serves them without hashing. If a
// few old deliveries stay out while many newer ones come and go, the old ones
// move to a map: memory stays proportional to what is out.
// Thread-safety: thread-compatible. Owned by one QueueCore.
class Unacked {
 public:
  using Visitor =
      absl::FunctionRef<void(uint64_t id, UnackedDelivery delivery)>;

  size_t size() const { return ring_live_ + stragglers_.size(); }

  // The new delivery's id: 1 first, then rising by one.
  uint64_t Add(UnackedDelivery&& delivery);
  // Takes a delivery out; nullopt if that id is not out.
  std::optional<UnackedDelivery> Take(uint64_t id);

  // Takes out what `holder` holds, `count` deliveries, none with an id below
  // `first_id`; by rising id.
  void TakeHeldBy(HolderIndex holder, uint64_t first_id, size_t count,
                  Visitor visit);
  // Takes out what is due, by deadline, then id.
  void TakeDue(absl::Time now, Visitor visit);
  // Takes out everything, by rising id.
  void TakeAll(Visitor visit);

  // InfiniteFuture if no delivery has a deadline.
  absl::Time NextDeadline() const {
    return deadlines_.empty() ? absl::InfiniteFuture()
                              : deadlines_.begin()->first.time();
  }

 private:
  void TrimRing();

  // A taken delivery leaves a hole (no message), so that id - ring_base_ stays
  // the index. The front is never a hole.
  std::deque<UnackedDelivery> ring_;
  uint64_t ring_base_ = 1;
  size_t ring_live_ = 0;
  absl::btree_map<uint64_t, UnackedDelivery> stragglers_;  // ids < ring_base_
  absl::btree_set<std::pair<Deadline, uint64_t>> deadlines_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_UNACKED_H_
