#include "service/queue/holders.h"

namespace kelpmq::service {

HolderIndex Holders::Use(const SinkRef& sink) {
  auto [it, added] = by_sink_.try_emplace(sink.get(), 0);
  if (!added) return it->second;
  HolderIndex index;
  if (free_.empty()) {
    index = static_cast<HolderIndex>(holders_.size());
    holders_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  it->second = index;
  holders_[index].sink = sink;
  return index;
}

std::optional<HolderIndex> Holders::Find(const DeliverySink* sink) const {
  auto it = by_sink_.find(sink);
  if (it == by_sink_.end()) return std::nullopt;
  return it->second;
}

void Holders::DropIfUnused(HolderIndex index) {
  Holder& holder = holders_[index];
  if (!holder.consumers.empty() || holder.delivery_count > 0) return;
  by_sink_.erase(holder.sink.get());
  holder = Holder();
  free_.push_back(index);
}

void Holders::Clear() {
  holders_.clear();
  free_.clear();
  by_sink_.clear();
}

}  // namespace kelpmq::service
