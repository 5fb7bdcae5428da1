#include "service/rpc/lease.h"

#include <algorithm>
#include <utility>

#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// Groups what was taken by queue; order within a queue is kept.
std::vector<QueueDeliveries> ByQueue(
    const std::vector<DeliveryTags::Out>& taken,
    const std::vector<QueueRef>& queues) {
  std::vector<QueueDeliveries> groups;
  std::vector<size_t> group_of(queues.size(), SIZE_MAX);
  for (const DeliveryTags::Out& out : taken) {
    size_t& group = group_of[out.queue_index];
    if (group == SIZE_MAX) {
      group = groups.size();
      groups.push_back({queues[out.queue_index], {}});
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
  bool empty;
  {
    MutexLock lock(&mu_);
    taken = tags_.Take(selection);
    groups = ByQueue(taken.taken, tags_.queues());
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
  if (hooks_.on_taken) hooks_.on_taken(taken.taken);

  SettleParams params;
  params.action = action;
  params.deliveries = std::move(groups);
  engine_->Settle(
      std::move(params),
      [self = shared_from_this(), taken = std::move(taken.taken), empty,
       outcome = std::move(outcome), done = std::move(done)](
          absl::StatusOr<SettleResult> result) mutable {
        std::vector<uint64_t> lost_tags;
        if (result.ok() && !result->lost.empty()) {
          MutexLock lock(&self->mu_);
          for (const QueueDeliveries& lost : result->lost) {
            for (const DeliveryTags::Out& out : taken) {
              if (self->tags_.queue(out) == lost.queue &&
                  std::binary_search(lost.delivery_ids.begin(),
                                     lost.delivery_ids.end(),
                                     out.delivery_id)) {
                lost_tags.push_back(out.tag);
                self->tags_.RememberLost(out.tag);
              }
            }
          }
        }
        std::sort(lost_tags.begin(), lost_tags.end());
        outcome.settled_count -= lost_tags.size();
        for (const TagSpan& span : ToSpans(lost_tags)) {
          outcome.failures.push_back({span, TagFailureReason::kLost});
        }
        std::move(done)(std::move(outcome));
        if (empty && self->hooks_.on_empty) self->hooks_.on_empty();
      });
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
  if (hooks_.on_taken) hooks_.on_taken(lost);
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

}  // namespace kelpmq::service
