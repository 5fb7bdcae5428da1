#include "service/exchange/destination_set.h"

namespace kelpmq::service {

void DestinationSet::Add(const Destination* destination) {
  if (empty()) {
    bits_ = reinterpret_cast<uintptr_t>(destination);
    return;
  }
  if (!IsMany()) {
    auto many = std::make_unique<Many>();
    many->Add(single());
    bits_ = reinterpret_cast<uintptr_t>(many.release()) | kManyBit;
  }
  many().Add(destination);
}

void DestinationSet::Remove(const Destination* destination) {
  if (!IsMany()) {
    bits_ = 0;
    return;
  }
  many().Remove(destination);
  const std::vector<Entry>& entries = many().entries;
  if (entries.size() > 1 || entries[0].bindings > 1) return;
  const Destination* const last = entries[0].destination;
  delete &many();
  bits_ = reinterpret_cast<uintptr_t>(last);
}

size_t DestinationSet::Many::Find(const Destination* destination) const {
  if (positions != nullptr) {
    const auto it = positions->find(destination);
    return it == positions->end() ? entries.size() : it->second;
  }
  size_t i = 0;
  while (i < entries.size() && entries[i].destination != destination) ++i;
  return i;
}

void DestinationSet::Many::Add(const Destination* destination) {
  const size_t i = Find(destination);
  if (i < entries.size()) {
    ++entries[i].bindings;
    return;
  }
  entries.push_back({destination, 1});
  if (positions != nullptr) {
    positions->emplace(destination, i);
  } else if (entries.size() > kMaxLinear) {
    positions = std::make_unique<Positions>();
    for (size_t j = 0; j < entries.size(); ++j) {
      positions->emplace(entries[j].destination, j);
    }
  }
}

void DestinationSet::Many::Remove(const Destination* destination) {
  const size_t i = Find(destination);
  if (--entries[i].bindings > 0) return;
  entries[i] = entries.back();
  entries.pop_back();
  if (positions == nullptr) return;
  if (i < entries.size()) (*positions)[entries[i].destination] = i;
  positions->erase(destination);
  // Well below the threshold, so that a set at its edge does not build the
  // index again and again.
  if (entries.size() <= kMaxLinear / 2) positions.reset();
}

}  // namespace kelpmq::service
