#include "service/rpc/delivery_tags.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"

namespace kelpmq::service {
namespace {

// Below this the window of slots is left alone.
constexpr size_t kMinSlotsToCompact = 1024;

// Queues without a tag out that are kept all the same: their next delivery is
// likely.
constexpr size_t kMaxIdleQueues = 64;

}  // namespace

uint32_t DeliveryTags::IndexOf(const QueueRef& queue) {
  // Deliveries come in batches of one queue.
  if (!queues_.empty() && queues_[last_queue_index_].queue == queue) {
    return last_queue_index_;
  }
  size_t free = queues_.size();
  size_t i = 0;
  for (; i < queues_.size() && queues_[i].queue != queue; ++i) {
    if (queues_[i].queue == nullptr) free = i;
  }
  if (i == queues_.size()) {
    i = free;
    if (i == queues_.size()) {
      queues_.emplace_back();
      ++idle_queue_count_;
    }
    queues_[i].queue = queue;
  }
  last_queue_index_ = static_cast<uint32_t>(i);
  return last_queue_index_;
}

std::vector<QueueRef> DeliveryTags::queues() const {
  std::vector<QueueRef> queues;
  for (const QueueSlot& slot : queues_) {
    if (slot.out_count > 0) queues.push_back(slot.queue);
  }
  return queues;
}

std::vector<QueueRef> DeliveryTags::TakeIdleQueues() {
  std::vector<QueueRef> idle;
  if (idle_queue_count_ <= kMaxIdleQueues) return idle;
  // Indexes of tags that are out stay as they are; what follows the last of
  // them goes altogether.
  size_t end = 0;
  for (size_t i = 0; i < queues_.size(); ++i) {
    if (queues_[i].out_count > 0) {
      end = i + 1;
    } else if (queues_[i].queue != nullptr) {
      idle.push_back(std::move(queues_[i].queue));
    }
  }
  idle_queue_count_ -= queues_.size() - end;
  queues_.resize(end);
  last_queue_index_ = 0;
  return idle;
}

uint64_t DeliveryTags::Issue(const QueueRef& queue, uint64_t delivery_id,
                             uint32_t consumer_key, uint32_t bytes) {
  Out out;
  out.tag = next_tag_++;
  out.delivery_id = delivery_id;
  out.queue_index = IndexOf(queue);
  if (queues_[out.queue_index].out_count++ == 0) --idle_queue_count_;
  out.consumer_key = consumer_key;
  out.bytes = bytes;
  slots_.push_back(out);
  ++out_count_;
  return out.tag;
}

DeliveryTags::Out* DeliveryTags::Find(uint64_t tag) {
  if (tag >= first_slot_tag_) {
    const uint64_t slot = tag - first_slot_tag_;
    if (slot >= slots_.size() || slots_[slot].tag == 0) return nullptr;
    return &slots_[slot];
  }
  auto it = stragglers_.find(tag);
  return it == stragglers_.end() ? nullptr : &it->second;
}

void DeliveryTags::Erase(uint64_t tag) {
  Out* const out = Find(tag);
  --out_count_;
  if (--queues_[out->queue_index].out_count == 0) ++idle_queue_count_;
  if (tag < first_slot_tag_) {
    stragglers_.erase(tag);
    return;
  }
  out->tag = 0;
  Compact();
}

void DeliveryTags::Compact() {
  while (!slots_.empty() && slots_.front().tag == 0) {
    slots_.pop_front();
    ++first_slot_tag_;
  }
  const size_t out_in_slots = out_count_ - stragglers_.size();
  if (slots_.size() < kMinSlotsToCompact || slots_.size() < 4 * out_in_slots) {
    return;
  }
  // Mostly holes: move the older half out of the window, so that each tag is
  // looked at a bounded number of times.
  const size_t half = slots_.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    if (slots_.front().tag != 0) {
      stragglers_.emplace(slots_.front().tag, slots_.front());
    }
    slots_.pop_front();
    ++first_slot_tag_;
  }
}

bool DeliveryTags::IsLost(uint64_t tag) const {
  auto it = lost_.upper_bound(tag);
  return it != lost_.begin() && std::prev(it)->second >= tag;
}

void DeliveryTags::AddLost(uint64_t tag) {
  if (IsLost(tag)) return;
  auto next = lost_.upper_bound(tag);
  const bool joins_next = next != lost_.end() && next->first == tag + 1;
  const bool joins_previous =
      next != lost_.begin() && std::prev(next)->second + 1 == tag;
  if (joins_previous) {
    auto previous = std::prev(next);
    previous->second = joins_next ? next->second : tag;
    if (joins_next) lost_.erase(next);
  } else if (joins_next) {
    const uint64_t last = next->second;
    lost_.erase(next);
    lost_.emplace(tag, last);
  } else {
    lost_.emplace(tag, tag);
  }
}

std::vector<uint64_t> DeliveryTags::OutIn(TagSpan span) const {
  std::vector<uint64_t> tags;
  for (auto it = stragglers_.lower_bound(span.first);
       it != stragglers_.end() && it->first <= span.last; ++it) {
    tags.push_back(it->first);
  }
  const uint64_t first = std::max(span.first, first_slot_tag_);
  for (uint64_t tag = first; tag <= span.last; ++tag) {
    const uint64_t slot = tag - first_slot_tag_;
    if (slot >= slots_.size()) break;
    if (slots_[slot].tag != 0) tags.push_back(tag);
  }
  return tags;
}

void DeliveryTags::TakeAll(const std::vector<uint64_t>& tags, Taken* taken) {
  for (uint64_t tag : tags) {
    taken->taken.push_back(*Find(tag));
    Erase(tag);
  }
}

void DeliveryTags::TakeUpTo(uint64_t last, Taken* taken) {
  const auto take = [this, taken](const Out& out) {
    taken->taken.push_back(out);
    --out_count_;
    if (--queues_[out.queue_index].out_count == 0) ++idle_queue_count_;
  };
  while (!stragglers_.empty() && stragglers_.begin()->first <= last) {
    take(stragglers_.begin()->second);
    stragglers_.erase(stragglers_.begin());
  }
  // What multiple acks are made for: the front of the window goes, whole.
  while (!slots_.empty() && first_slot_tag_ <= last) {
    if (slots_.front().tag != 0) take(slots_.front());
    slots_.pop_front();
    ++first_slot_tag_;
  }
  Compact();
}

void DeliveryTags::TakeSpan(TagSpan span, Taken* taken) {
  if (span.first == 0 || span.first > span.last) {
    taken->failures.push_back({span, TagFailureReason::kInvalid});
    return;
  }
  const uint64_t highest = highest_issued();
  if (span.last > highest) {
    taken->failures.push_back({{std::max(span.first, highest + 1), span.last},
                               TagFailureReason::kUnknownTag});
    if (span.first > highest) return;
    span.last = highest;
  }
  const std::vector<uint64_t> out = OutIn(span);
  uint64_t neither = span.last - span.first + 1 - out.size();
  auto it = lost_.upper_bound(span.first);
  if (it != lost_.begin() && std::prev(it)->second >= span.first) --it;
  for (; it != lost_.end() && it->first <= span.last; ++it) {
    const TagSpan lost = {std::max(it->first, span.first),
                          std::min(it->second, span.last)};
    neither -= lost.last - lost.first + 1;
    taken->failures.push_back({lost, TagFailureReason::kLost});
  }
  taken->already_settled_count += neither;
  TakeAll(out, taken);
}

DeliveryTags::Taken DeliveryTags::Take(const TagSelection& selection) {
  Taken taken;
  if (selection.up_to > highest_issued()) {
    taken.failures.push_back(
        {{selection.up_to, selection.up_to}, TagFailureReason::kUnknownTag});
    return taken;
  }
  // The parts are a union: what two of them name is settled once and counts as
  // neither settled before nor failed twice.
  std::vector<TagSpan> spans;
  spans.reserve(selection.tags.size() + selection.ranges.size());
  bool names_zero = false;
  for (uint64_t tag : selection.tags) {
    if (tag == 0) {
      names_zero = true;
    } else {
      spans.push_back({tag, tag});
    }
  }
  if (names_zero) {
    taken.failures.push_back({{0, 0}, TagFailureReason::kInvalid});
  }
  for (const TagSpan& range : selection.ranges) {
    if (range.first == 0 || range.first > range.last) {
      taken.failures.push_back({range, TagFailureReason::kInvalid});
    } else {
      spans.push_back(range);
    }
  }
  absl::c_sort(spans, [](const TagSpan& a, const TagSpan& b) {
    return a.first < b.first;
  });
  for (size_t i = 0; i < spans.size();) {
    TagSpan merged = spans[i++];
    while (i < spans.size() && spans[i].first - 1 <= merged.last) {
      merged.last = std::max(merged.last, spans[i++].last);
    }
    TakeSpan(merged, &taken);
  }
  const uint64_t up_to = selection.all ? highest_issued() : selection.up_to;
  if (up_to > 0) {
    const bool alone = taken.taken.empty();
    TakeUpTo(up_to, &taken);
    if (!alone) {
      absl::c_sort(taken.taken,
                   [](const Out& a, const Out& b) { return a.tag < b.tag; });
    }
  }
  return taken;
}

std::vector<DeliveryTags::Out> DeliveryTags::MarkLost(
    const QueueRef& queue, absl::Span<const uint64_t> delivery_ids) {
  std::vector<Out> lost;
  const auto it = absl::c_find_if(
      queues_, [&queue](const QueueSlot& slot) { return slot.queue == queue; });
  if (it == queues_.end() || it->out_count == 0) return lost;
  const auto queue_index = static_cast<uint32_t>(it - queues_.begin());
  // Rare (a deleted queue, a timeout), so no index by delivery is kept.
  const absl::flat_hash_set<uint64_t> ids(delivery_ids.begin(),
                                          delivery_ids.end());
  auto collect = [&](const Out& out) {
    if (out.tag != 0 && out.queue_index == queue_index &&
        ids.contains(out.delivery_id)) {
      lost.push_back(out);
    }
  };
  for (const auto& [tag, out] : stragglers_) collect(out);
  for (const Out& out : slots_) collect(out);
  for (const Out& out : lost) {
    Erase(out.tag);
    AddLost(out.tag);
  }
  return lost;
}

}  // namespace kelpmq::service
