#include "service/queue/unacked.h"

namespace kelpmq::service {
namespace {

// A ring shorter than this is not worth a look; above it, at most three of
// four slots may be holes.
constexpr size_t kMinRingToThin = 256;
constexpr size_t kMaxSlotsPerLive = 4;

}  // namespace

uint64_t Unacked::Add(UnackedDelivery&& delivery) {
  const uint64_t id = ring_base_ + ring_.size();
  if (!delivery.deadline.is_never()) {
    deadlines_.emplace(delivery.deadline, id);
  }
  ring_.push_back(std::move(delivery));
  ++ring_live_;
  TrimRing();
  return id;
}

std::optional<UnackedDelivery> Unacked::Take(uint64_t id) {
  std::optional<UnackedDelivery> taken;
  if (id < ring_base_) {
    auto it = stragglers_.find(id);
    if (it == stragglers_.end()) return taken;
    taken = std::move(it->second);
    stragglers_.erase(it);
  } else {
    if (id - ring_base_ >= ring_.size()) return taken;
    UnackedDelivery& slot = ring_[id - ring_base_];
    if (!slot.message.message) return taken;
    taken = std::move(slot);  // leaves no message behind
    --ring_live_;
    TrimRing();
  }
  if (!taken->deadline.is_never()) {
    deadlines_.erase({taken->deadline, id});
  }
  return taken;
}

void Unacked::TakeHeldBy(HolderIndex holder, uint64_t first_id, size_t count,
                         Visitor visit) {
  std::vector<uint64_t> ids;
  ids.reserve(count);
  for (auto it = stragglers_.lower_bound(first_id);
       ids.size() < count && it != stragglers_.end(); ++it) {
    if (it->second.holder == holder) ids.push_back(it->first);
  }
  for (size_t i = first_id > ring_base_ ? first_id - ring_base_ : 0;
       ids.size() < count && i < ring_.size(); ++i) {
    if (ring_[i].message.message && ring_[i].holder == holder) {
      ids.push_back(ring_base_ + i);
    }
  }
  for (uint64_t id : ids) visit(id, *Take(id));
}

void Unacked::TakeDue(absl::Time now, Visitor visit) {
  while (!deadlines_.empty() && deadlines_.begin()->first.IsDue(now)) {
    const uint64_t id = deadlines_.begin()->second;
    visit(id, *Take(id));
  }
}

void Unacked::TakeAll(Visitor visit) {
  for (auto& [id, delivery] : stragglers_) visit(id, std::move(delivery));
  stragglers_.clear();
  uint64_t id = ring_base_;
  ring_base_ += ring_.size();
  std::deque<UnackedDelivery> ring;
  ring.swap(ring_);
  ring_live_ = 0;
  deadlines_.clear();
  for (UnackedDelivery& delivery : ring) {
    if (delivery.message.message) visit(id, std::move(delivery));
    ++id;
  }
}

void Unacked::TrimRing() {
  const auto drop_front = [this] {
    ring_.pop_front();
    ++ring_base_;
  };
  while (!ring_.empty() && !ring_.front().message.message) drop_front();
  // Each delivery moves at most once, so this costs O(1) per delivery.
  while (ring_.size() >= kMinRingToThin &&
         ring_.size() > kMaxSlotsPerLive * ring_live_) {
    UnackedDelivery& front = ring_.front();
    if (front.message.message) {
      stragglers_.emplace_hint(stragglers_.end(), ring_base_, std::move(front));
      --ring_live_;
    }
    drop_front();
  }
  while (!ring_.empty() && !ring_.front().message.message) drop_front();
}

}  // namespace kelpmq::service
