#include "service/exchange/recent_history.h"

#include <utility>

namespace kelpmq::service {

void RecentHistory::Store(MessageRef message, uint64_t bindings) {
  if (length_ == 0) return;
  MessageRef oldest;  // freed after the lock is gone
  MutexLock lock(&mu_);
  if (entries_.size() == length_) {
    oldest = std::move(entries_.front().message);
    entries_.pop_front();
  }
  entries_.push_back({std::move(message), bindings});
}

std::vector<MessageRef> RecentHistory::MissedBy(uint64_t binding) const {
  std::vector<MessageRef> missed;
  MutexLock lock(&mu_);
  for (const Entry& entry : entries_) {
    if (entry.bindings < binding) missed.push_back(entry.message);
  }
  return missed;
}

}  // namespace kelpmq::service
