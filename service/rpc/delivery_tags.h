#ifndef KELPMQ_SERVICE_RPC_DELIVERY_TAGS_H_
#define KELPMQ_SERVICE_RPC_DELIVERY_TAGS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "absl/types/span.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// Both ends belong to the range; first <= last.
struct TagSpan {
  uint64_t first = 0;
  uint64_t last = 0;
};

// Which tags a settle names: the union of all parts.
struct TagSelection {
  std::vector<uint64_t> tags;
  std::vector<TagSpan> ranges;
  uint64_t up_to = 0;  // every unsettled tag up to it; 0: not asked for
  bool all = false;    // every unsettled tag

  bool empty() const {
    return tags.empty() && ranges.empty() && up_to == 0 && !all;
  }
};

// Why a tag of a settle could not be honoured. Values as
// kelpmq.v1.SettleFailureReason.
enum class TagFailureReason { kUnknownTag = 1, kLost = 2, kInvalid = 3 };

struct TagFailure {
  TagSpan tags;
  TagFailureReason reason = TagFailureReason::kUnknownTag;
};

// Tag <-> delivery, for one lease (a stream, or a Get): tags count 1, 2, 3, ...
// over all its consumers and gets (TAG-03) and are never used twice. Knows
// which tags are out, which were lost, and hence which were settled.
// Thread-safety: thread-compatible. Owned by one Lease.
class DeliveryTags {
 public:
  // A delivery that is out.
  struct Out {
    uint64_t tag = 0;
    uint64_t delivery_id = 0;
    uint32_t queue_index = 0;   // see queue()
    uint32_t consumer_key = 0;  // what the holder reserved room under
    uint32_t bytes = 0;         // encoded size, as reserved
  };

  // What a selection came to. Tags in `taken` are settled from now on.
  struct Taken {
    std::vector<Out> taken;  // by tag, rising
    uint64_t already_settled_count = 0;
    std::vector<TagFailure> failures;
  };

  DeliveryTags() = default;
  // Tags up to this one, all of them settled.
  explicit DeliveryTags(uint64_t highest_settled)
      : next_tag_(highest_settled + 1), first_slot_tag_(highest_settled + 1) {}

  // The next tag, for a delivery of `queue`.
  uint64_t Issue(const QueueRef& queue, uint64_t delivery_id,
                 uint32_t consumer_key, uint32_t bytes);

  // Takes what `selection` names. `up_to` above the highest tag issued is an
  // unknown tag and takes nothing at all (TAG-02).
  Taken Take(const TagSelection& selection);

  // These deliveries can no longer be settled; the tags they had, rising.
  // Ids that are not out are passed over.
  std::vector<Out> MarkLost(const QueueRef& queue,
                            absl::Span<const uint64_t> delivery_ids);
  // Tags that were taken, but turned out to be lost.
  void RememberLost(uint64_t tag) { AddLost(tag); }

  // Of a tag that is out, or was taken since the last TakeIdleQueues.
  const QueueRef& queue(const Out& out) const {
    return queues_[out.queue_index].queue;
  }
  // Every queue that has a tag out.
  std::vector<QueueRef> queues() const;
  // One more than the highest queue_index.
  size_t queue_index_end() const { return queues_.size(); }
  // Lets go of queues that have no tag out, once there are many: a stream may
  // see any number of short-lived queues. Theirs to destroy who calls, since
  // the end of a queue takes locks.
  std::vector<QueueRef> TakeIdleQueues();
  uint64_t highest_issued() const { return next_tag_ - 1; }
  // Tags out now.
  size_t out_count() const { return out_count_; }

 private:
  struct QueueSlot {
    QueueRef queue;  // null: free for another
    size_t out_count = 0;
  };

  uint32_t IndexOf(const QueueRef& queue);
  // The window of recent tags: slot i is tag first_slot_tag_ + i. A slot whose
  // tag is not out has tag 0.
  Out* Find(uint64_t tag);
  void Erase(uint64_t tag);
  bool IsLost(uint64_t tag) const;
  void AddLost(uint64_t tag);
  // The tags of the range that are out, rising.
  std::vector<uint64_t> OutIn(TagSpan span) const;
  void TakeAll(const std::vector<uint64_t>& tags, Taken* taken);
  // Every tag that is out and not above `last`.
  void TakeUpTo(uint64_t last, Taken* taken);
  void TakeSpan(TagSpan span, Taken* taken);
  // Keeps memory in proportion to what is out, though one early tag may stay
  // out while millions come and go.
  void Compact();

  uint64_t next_tag_ = 1;
  uint64_t first_slot_tag_ = 1;
  std::deque<Out> slots_;
  std::map<uint64_t, Out> stragglers_;  // tags below first_slot_tag_
  size_t out_count_ = 0;
  std::map<uint64_t, uint64_t> lost_;  // first -> last, disjoint
  std::vector<QueueSlot> queues_;
  size_t idle_queue_count_ = 0;  // with no tag out, the free ones too
  uint32_t last_queue_index_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_DELIVERY_TAGS_H_
