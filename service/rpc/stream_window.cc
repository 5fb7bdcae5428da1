#include "service/rpc/stream_window.h"

#include <algorithm>

namespace kelpmq::service {

bool StreamWindow::PrefetchUsedUp() const {
  return (limits_.prefetch_count != 0 &&
          prefetched_messages_ >= limits_.prefetch_count) ||
         (limits_.prefetch_bytes != 0 &&
          prefetched_bytes_ >= limits_.prefetch_bytes);
}

bool StreamWindow::UnsettledRoom(size_t bytes) const {
  if (limits_.max_unsettled != 0 && unsettled_ >= limits_.max_unsettled) {
    return false;
  }
  if (PrefetchUsedUp()) return false;
  return limits_.prefetch_bytes == 0 || prefetched_messages_ == 0 ||
         prefetched_bytes_ + bytes <= limits_.prefetch_bytes;
}

bool StreamWindow::OutboxRoom(size_t bytes) const {
  if (outbox_messages_ == 0) return true;
  return outbox_messages_ < limits_.max_outbox_messages &&
         outbox_bytes_ + bytes <= limits_.max_outbox_bytes;
}

uint64_t StreamWindow::RoomFor(uint64_t wanted, size_t bytes,
                               bool auto_ack) const {
  const auto limit = [&wanted](uint64_t most, uint64_t taken, uint64_t each) {
    wanted = std::min(wanted, (most - std::min(most, taken)) / each);
  };
  limit(limits_.max_outbox_messages, outbox_messages_, 1);
  limit(limits_.max_outbox_bytes, outbox_bytes_, bytes);
  if (auto_ack) return wanted;
  if (limits_.max_unsettled != 0) limit(limits_.max_unsettled, unsettled_, 1);
  if (limits_.prefetch_count != 0) {
    limit(limits_.prefetch_count, prefetched_messages_, 1);
  }
  if (limits_.prefetch_bytes != 0) {
    limit(limits_.prefetch_bytes, prefetched_bytes_, bytes);
  }
  return wanted;
}

void StreamWindow::Take(uint64_t count, size_t bytes, bool auto_ack) {
  outbox_messages_ += static_cast<uint32_t>(count);
  outbox_bytes_ += bytes;
  if (auto_ack) return;
  unsettled_ += count;
  prefetched_messages_ += count;
  prefetched_bytes_ += bytes;
}

uint32_t StreamWindow::Reserve(ConsumerKey key, size_t bytes, uint32_t wanted) {
  const bool auto_ack = IsAutoAck(key);
  MutexLock lock(&mu_);
  if (paused_ || !OutboxRoom(bytes) ||
      (auto_ack ? PrefetchUsedUp() : !UnsettledRoom(bytes))) {
    if (std::find(refused_.begin(), refused_.end(), key) == refused_.end()) {
      refused_.push_back(key);
    }
    return 0;
  }
  Take(1, bytes, auto_ack);  // by its own rules: it may be alone
  if (wanted == 1) return 1;
  const uint64_t more = RoomFor(wanted - 1, bytes, auto_ack);
  Take(more, more * bytes, auto_ack);
  return static_cast<uint32_t>(1 + more);
}

std::vector<ConsumerKey> StreamWindow::GiveBack(ConsumerKey key, uint32_t count,
                                                size_t bytes) {
  MutexLock lock(&mu_);
  outbox_messages_ -= count;
  outbox_bytes_ -= bytes;
  if (!IsAutoAck(key)) {
    unsettled_ -= count;
    prefetched_messages_ -= count;
    prefetched_bytes_ -= bytes;
  }
  return TakeRefused();
}

std::vector<ConsumerKey> StreamWindow::TakeRefused() {
  // Room for the smallest message is enough to ask again.
  if (refused_.empty() || paused_ || !OutboxRoom(1)) return {};
  const bool used_up = PrefetchUsedUp();
  const bool unsettled_room = UnsettledRoom(1);
  const auto rest = std::stable_partition(
      refused_.begin(), refused_.end(), [&](ConsumerKey key) {
        return IsAutoAck(key) ? !used_up : unsettled_room;
      });
  std::vector<ConsumerKey> woken(refused_.begin(), rest);
  refused_.erase(refused_.begin(), rest);
  return woken;
}

std::vector<ConsumerKey> StreamWindow::Written(uint32_t messages,
                                               size_t bytes) {
  MutexLock lock(&mu_);
  outbox_messages_ -= messages;
  outbox_bytes_ -= bytes;
  return TakeRefused();
}

std::vector<ConsumerKey> StreamWindow::Settled(
    const std::vector<DeliveryTags::Out>& outs) {
  MutexLock lock(&mu_);
  for (const DeliveryTags::Out& out : outs) {
    if (IsAutoAck(out.consumer_key)) continue;
    --unsettled_;
    if (out.consumer_key == kGetKey) continue;
    --prefetched_messages_;
    prefetched_bytes_ -= out.bytes;
  }
  return TakeRefused();
}

std::vector<ConsumerKey> StreamWindow::SetPrefetchCount(uint32_t count) {
  MutexLock lock(&mu_);
  limits_.prefetch_count = count;
  return TakeRefused();
}

std::vector<ConsumerKey> StreamWindow::SetPrefetchBytes(uint64_t bytes) {
  MutexLock lock(&mu_);
  limits_.prefetch_bytes = bytes;
  return TakeRefused();
}

std::vector<ConsumerKey> StreamWindow::SetPaused(bool paused) {
  MutexLock lock(&mu_);
  paused_ = paused;
  return TakeRefused();
}

uint32_t StreamWindow::ReserveForGet(uint32_t wanted) {
  MutexLock lock(&mu_);
  if (limits_.max_unsettled != 0) {
    const uint64_t room = limits_.max_unsettled > unsettled_
                              ? limits_.max_unsettled - unsettled_
                              : 0;
    wanted = static_cast<uint32_t>(std::min<uint64_t>(wanted, room));
  }
  unsettled_ += wanted;
  return wanted;
}

std::vector<ConsumerKey> StreamWindow::GiveBackFromGet(uint32_t unused) {
  MutexLock lock(&mu_);
  unsettled_ -= unused;
  return TakeRefused();
}

bool StreamWindow::has_prefetch() const {
  MutexLock lock(&mu_);
  return limits_.prefetch_count > 0 || limits_.prefetch_bytes > 0;
}

uint64_t StreamWindow::unsettled() const {
  MutexLock lock(&mu_);
  return unsettled_;
}

}  // namespace kelpmq::service
