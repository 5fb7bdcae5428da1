#include "service/exchange/destination.h"

#include <utility>

namespace kelpmq::service {

Destination* QueueDestinations::Add(const std::string& name,
                                    std::shared_ptr<RouteTarget> queue) {
  TargetId id{used_, 0};
  if (!free_.empty()) {
    id = free_.back();
    free_.pop_back();
  } else if (used_++ % kBlockSlots == 0) {
    blocks_.push_back(std::make_unique<Destination[]>(kBlockSlots));
  }
  Destination* const destination = At(id.slot);
  destination->id = id;
  destination->queue = std::move(queue);
  destination->record = std::make_unique<Destination::Record>();
  destination->record->name = name;
  return destination;
}

void QueueDestinations::Remove(Destination* destination) {
  const TargetId id = destination->id;
  free_.push_back({id.slot, id.generation + 1});
  *destination = Destination();
}

const Destination* QueueDestinations::Find(TargetId id) const {
  if (id.slot >= used_) return nullptr;
  const Destination* const destination = At(id.slot);
  return destination->id == id ? destination : nullptr;
}

}  // namespace kelpmq::service
