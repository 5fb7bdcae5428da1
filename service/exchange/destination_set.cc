#include "service/exchange/destination_set.h"

#include <utility>

namespace kelpmq::service {

size_t DestinationSet::Find(const Destination* destination) const {
  if (positions_ != nullptr) {
    const auto it = positions_->find(destination);
    return it == positions_->end() ? entries_.size() : it->second;
  }
  size_t i = 0;
  while (i < entries_.size() && entries_[i].destination != destination) ++i;
  return i;
}

void DestinationSet::Add(const Destination* destination) {
  const size_t i = Find(destination);
  if (i < entries_.size()) {
    ++entries_[i].bindings;
    return;
  }
  entries_.push_back({destination, 1});
  if (positions_ != nullptr) {
    positions_->emplace(destination, i);
  } else if (entries_.size() > kMaxLinear) {
    positions_ = std::make_unique<Positions>();
    for (size_t j = 0; j < entries_.size(); ++j) {
      positions_->emplace(entries_[j].destination, j);
    }
  }
}

void DestinationSet::Remove(const Destination* destination) {
  const size_t i = Find(destination);
  if (--entries_[i].bindings > 0) return;
  entries_[i] = entries_.back();
  entries_.pop_back();
  if (positions_ != nullptr) {
    if (i < entries_.size()) (*positions_)[entries_[i].destination] = i;
    positions_->erase(destination);
    // Well below the threshold, so that a set at its edge does not build the
    // index again and again.
    if (entries_.size() <= kMaxLinear / 2) positions_.reset();
  }
}

}  // namespace kelpmq::service
