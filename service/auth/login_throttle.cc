#include "service/auth/login_throttle.h"

#include <algorithm>

namespace kelpmq::service {

absl::Duration LoginThrottle::WaitAfter(int failures) {
  if (failures < kFreeFailures) return absl::ZeroDuration();
  constexpr int kMaxDoublings = 10;  // beyond the longest wait
  const int doublings = std::min(failures - kFreeFailures, kMaxDoublings);
  return std::min(kFirstWait * (1 << doublings), kLongestWait);
}

absl::Duration LoginThrottle::Wait(absl::string_view key,
                                   absl::Time now) const {
  auto it = failures_.find(key);
  if (it == failures_.end() || it->second.last + kForgetAfter <= now) {
    return absl::ZeroDuration();
  }
  const absl::Time allowed = it->second.last + WaitAfter(it->second.count);
  return std::max(allowed - now, absl::ZeroDuration());
}

void LoginThrottle::Failed(absl::string_view key, absl::Time now) {
  auto [it, added] = failures_.try_emplace(key);
  if (added) order_.emplace_back(key);
  if (it->second.last + kForgetAfter <= now) it->second.count = 0;
  ++it->second.count;
  it->second.last = now;
  ForgetOld(now);
}

void LoginThrottle::Succeeded(absl::string_view key) { failures_.erase(key); }

void LoginThrottle::ForgetOld(absl::Time now) {
  while (!order_.empty()) {
    auto it = failures_.find(order_.front());
    const bool stale =
        it == failures_.end() || it->second.last + kForgetAfter <= now;
    if (!stale && order_.size() <= kMaxKeys) return;
    if (it != failures_.end()) failures_.erase(it);
    order_.pop_front();
  }
}

}  // namespace kelpmq::service
