#include "service/exchange/seen_values.h"

#include <iterator>
#include <utility>

namespace kelpmq::service {

bool SeenValues::Add(std::string value, absl::Duration ttl) {
  const absl::Time now = clock_ == nullptr ? absl::Time() : clock_->Now();
  MutexLock lock(&mu_);
  const auto forget = [this](std::list<Entry>::iterator entry) {
    index_.erase(entry->value);
    entries_.erase(entry);
  };
  const auto known = index_.find(value);
  if (known != index_.end()) {
    if (known->second->forgotten > now) return false;
    forget(known->second);
  }
  if (entries_.size() == capacity_) forget(entries_.begin());
  entries_.push_back({std::move(value), now + ttl});
  index_.emplace(entries_.back().value, std::prev(entries_.end()));
  return true;
}

}  // namespace kelpmq::service
