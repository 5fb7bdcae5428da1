#include "service/engine/memory/delayed_store.h"

#include <algorithm>
#include <utility>

namespace kelpmq::service {

void DelayedStore::Add(absl::Time due, LateMessage message) {
  const NameId exchange = AcquireName(message.exchange);
  heap_.push_back({due, arrivals_++, std::move(message.message), exchange});
  std::push_heap(heap_.begin(), heap_.end(), ComesLater);
}

absl::Time DelayedStore::next_due() const {
  return heap_.empty() ? absl::InfiniteFuture() : heap_.front().due;
}

std::vector<LateMessage> DelayedStore::TakeDue(absl::Time now, size_t limit) {
  std::vector<LateMessage> due;
  while (!heap_.empty() && heap_.front().due <= now && due.size() < limit) {
    std::pop_heap(heap_.begin(), heap_.end(), ComesLater);
    Entry& entry = heap_.back();
    due.push_back({std::move(entry.message), ReleaseName(entry.exchange)});
    heap_.pop_back();
  }
  return due;
}

DelayedStore::NameId DelayedStore::AcquireName(const std::string& text) {
  if (text.empty()) return kOwnExchange;
  const auto [it, is_new] = name_ids_.try_emplace(text, 0);
  if (is_new) {
    if (free_names_.empty()) {
      it->second = static_cast<NameId>(names_.size());
      names_.emplace_back();
    } else {
      it->second = free_names_.back();
      free_names_.pop_back();
    }
    names_[it->second].text = text;
  }
  ++names_[it->second].uses;
  return it->second;
}

std::string DelayedStore::ReleaseName(NameId id) {
  if (id == kOwnExchange) return "";
  Name& name = names_[id];
  if (--name.uses > 0) return name.text;
  name_ids_.erase(name.text);
  free_names_.push_back(id);
  return std::exchange(name.text, "");
}

}  // namespace kelpmq::service
