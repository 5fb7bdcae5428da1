#include "service/rpc/leases.h"

#include "service/base/error.h"
#include "service/base/random_name.h"

namespace kelpmq::service {

std::string Leases::NewId() { return MakeServerName("lease-"); }

void Leases::Add(std::shared_ptr<Lease> lease, Kind kind) {
  MutexLock lock(&mu_);
  const std::string id = lease->id();
  live_.emplace(id, Live{std::move(lease), kind});
  if (kind == Kind::kGet) ++live_get_count_;
}

void Leases::Remove(const std::string& id, End end) {
  std::shared_ptr<Lease> removed;  // outlives the lock
  {
    MutexLock lock(&mu_);
    auto it = live_.find(id);
    if (it != live_.end()) removed = it->second.lease;
  }
  if (removed == nullptr) return;
  const uint64_t highest_tag = removed->highest_issued();
  MutexLock lock(&mu_);
  auto it = live_.find(id);
  if (it == live_.end()) return;
  if (it->second.kind == Kind::kGet) --live_get_count_;
  live_.erase(it);
  ended_.emplace(id, Ended{end, highest_tag});
  ended_order_.emplace_back(clock_->Now(), id);
  ForgetOld();
}

void Leases::ForgetOld() {
  const absl::Time horizon = clock_->Now() - kRememberEnded;
  while (!ended_order_.empty() && (ended_order_.size() > kMaxEnded ||
                                   ended_order_.front().first < horizon)) {
    ended_.erase(ended_order_.front().second);
    ended_order_.pop_front();
  }
}

absl::StatusOr<Leases::Found> Leases::Find(const std::string& id) {
  MutexLock lock(&mu_);
  if (auto it = live_.find(id); it != live_.end())
    return Found{it->second.lease};
  ForgetOld();
  auto it = ended_.find(id);
  if (it == ended_.end()) {
    return MakeError(Reason::kLeaseNotFound,
                     "no such lease: it never existed here, or it ended more "
                     "than a minute ago");
  }
  if (it->second.end == End::kAllSettled) {
    return Found{nullptr, it->second.highest_tag};
  }
  return MakeError(Reason::kLeaseExpired,
                   "the lease has ended and its unsettled deliveries went back "
                   "to their queues");
}

size_t Leases::live_count() const {
  MutexLock lock(&mu_);
  return live_.size();
}

size_t Leases::live_get_count() const {
  MutexLock lock(&mu_);
  return live_get_count_;
}

}  // namespace kelpmq::service
