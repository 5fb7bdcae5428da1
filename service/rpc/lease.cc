#include "service/rpc/lease.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/inlined_vector.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// What a queue was called among the tags when they were taken: the index may
// name another one by the time the queue has answered.
struct QueueIndex {
  const QueueHandle* queue;
  uint32_t index;
};
using QueueIndexes = absl::InlinedVector<QueueIndex, 1>;

// Groups what was taken by queue, as rising ids.
std::vector<QueueDeliveries> ByQueue(
    const std::vector<DeliveryTags::Out>& taken, const DeliveryTags& tags,
    QueueIndexes* indexes) {
  std::vector<QueueDeliveries> groups;
  std::vector<size_t> group_of(tags.queue_index_end(), SIZE_MAX);
  for (const DeliveryTags::Out& out : taken) {
    size_t& group = group_of[out.queue_index];
    if (group == SIZE_MAX) {
      group = groups.size();
      groups.push_back({tags.queue(out), {}});
      indexes->push_back({tags.queue(out).get(), out.queue_index});
    }
    groups[group].delivery_ids.push_back(out.delivery_id);
  }
  for (QueueDeliveries& group : groups) {
    if (!std::is_sorted(group.delivery_ids.begin(), group.delivery_ids.end())) {
      std::sort(group.delivery_ids.begin(), group.delivery_ids.end());
    }
  }
  return groups;
}

// The tags of the deliveries that the queues no longer had.
std::vector<uint64_t> TagsOf(const std::vector<QueueDeliveries>& lost,
                             const std::vector<DeliveryTags::Out>& taken,
                             const QueueIndexes& indexes) {
  std::vector<uint64_t> tags;
  for (const QueueDeliveries& part : lost) {
    const auto of_queue =
        absl::c_find_if(indexes, [&part](const QueueIndex& known) {
          return known.queue == part.queue.get();
        });
    for (const DeliveryTags::Out& out : taken) {
      if (out.queue_index == of_queue->index &&
          std::binary_search(part.delivery_ids.begin(), part.delivery_ids.end(),
                             out.delivery_id)) {
        tags.push_back(out.tag);
      }
    }
  }
  std::sort(tags.begin(), tags.end());
  return tags;
}

}  // namespace

std::vector<TagSpan> ToSpans(absl::Span<const uint64_t> tags) {
  std::vector<TagSpan> spans;
  for (uint64_t tag : tags) {
    if (!spans.empty() && spans.back().last + 1 == tag) {
      spans.back().last = tag;
    } else {
      spans.push_back({tag, tag});
    }
  }
  return spans;
}

uint64_t Lease::Issue(const QueueRef& queue, uint32_t consumer_key,
                      absl::Span<const Delivery> deliveries) {
  const uint64_t first = tags_.highest_issued() + 1;
  for (const Delivery& delivery : deliveries) {
    tags_.Issue(queue, delivery.delivery_id, consumer_key,
                static_cast<uint32_t>(EncodedDeliveryBytes(*delivery.message)));
  }
  return first;
}

void Lease::Settle(SettleAction action, const TagSelection& selection,
                   absl::AnyInvocable<void(SettleOutcome)> done) {
  DeliveryTags::Taken taken;
  std::vector<QueueDeliveries> groups;
  QueueIndexes indexes;
  std::vector<QueueRef> idle;  // destroyed without the lock
  bool empty;
  {
    MutexLock lock(&mu_);
    taken = tags_.Take(selection);
    groups = ByQueue(taken.taken, tags_, &indexes);
    idle = tags_.TakeIdleQueues();
    empty = tags_.out_count() == 0;
  }
  SettleOutcome outcome;
  outcome.settled_count = taken.taken.size();
  outcome.already_settled_count = taken.already_settled_count;
  outcome.failures = std::move(taken.failures);
  if (taken.taken.empty()) {
    std::move(done)(std::move(outcome));
    return;
  }
  // Room is free from here on, so that what the settle makes deliverable can
  // be delivered in the same run of the queue.
  std::vector<uint32_t> woken;
  if (hooks_.on_taken) woken = hooks_.on_taken(taken.taken);

  SettleParams params;
  params.action = action;
  params.deliveries = std::move(groups);
  engine_->Settle(
      std::move(params),
      [self = shared_from_this(), taken = std::move(taken.taken),
       indexes = std::move(indexes), empty, outcome = std::move(outcome),
       done = std::move(done)](absl::StatusOr<SettleResult> result) mutable {
        std::vector<uint64_t> lost_tags;
        if (result.ok() && !result->lost.empty()) {
          lost_tags = TagsOf(result->lost, taken, indexes);
          MutexLock lock(&self->mu_);
          for (uint64_t tag : lost_tags) self->tags_.RememberLost(tag);
        }
        outcome.settled_count -= lost_tags.size();
        for (const TagSpan& span : ToSpans(lost_tags)) {
          outcome.failures.push_back({span, TagFailureReason::kLost});
        }
        std::move(done)(std::move(outcome));
        // With something lost it is kept, to tell so again.
        if (empty && lost_tags.empty() && self->hooks_.on_empty) {
          self->hooks_.on_empty();
        }
      });
  if (!woken.empty()) hooks_.wake(woken);
}

void Lease::AckQuietly(absl::Span<const uint64_t> tags) {
  TagSelection selection;
  selection.ranges = ToSpans(tags);
  Settle(SettleAction::kAck, selection, [](SettleOutcome) {});
}

std::vector<TagSpan> Lease::MarkLost(const QueueRef& queue,
                                     absl::Span<const uint64_t> delivery_ids) {
  std::vector<DeliveryTags::Out> lost;
  {
    MutexLock lock(&mu_);
    lost = tags_.MarkLost(queue, delivery_ids);
  }
  if (lost.empty()) return {};
  if (hooks_.on_taken) {
    const std::vector<uint32_t> woken = hooks_.on_taken(lost);
    if (!woken.empty()) hooks_.wake(woken);
  }
  std::vector<uint64_t> tags;
  for (const DeliveryTags::Out& out : lost) tags.push_back(out.tag);
  std::sort(tags.begin(), tags.end());
  return ToSpans(tags);
}

absl::StatusOr<absl::Time> Lease::Extend(absl::Duration duration) {
  if (!hooks_.extend) {
    return MakeError(Reason::kInvalidValue,
                     "the lease is a stream's: it lasts as long as the stream "
                     "and has no time to extend");
  }
  return hooks_.extend(duration);
}

std::vector<QueueRef> Lease::queues() const {
  MutexLock lock(&mu_);
  return tags_.queues();
}

size_t Lease::out_count() const {
  MutexLock lock(&mu_);
  return tags_.out_count();
}

uint64_t Lease::highest_issued() const {
  MutexLock lock(&mu_);
  return tags_.highest_issued();
}

}  // namespace kelpmq::service
