#include "service/queue/sink_room.h"

#include <algorithm>
#include <utility>

namespace kelpmq::service {

bool SinkRoom::TryReserve(DeliverySink& sink, uint32_t consumer_key,
                          size_t bytes, size_t may_follow) {
  Room* room = Find(sink);
  if (room != nullptr) {
    if (room->consumer_key == consumer_key && room->deliveries > 0 &&
        room->bytes >= bytes) {
      --room->deliveries;
      room->bytes -= bytes;
      return true;
    }
    GiveBack(room);
  }
  const bool can_keep = room != nullptr || count_ < kMaxSinks;
  const auto wanted = static_cast<uint32_t>(
      can_keep ? std::min(may_follow + 1, kMaxAtOnce) : 1);
  const uint32_t given = sink.Reserve(consumer_key, bytes, wanted);
  if (given == 0) return false;
  if (given > 1) {
    if (room == nullptr) room = &rooms_[count_++];
    *room = {&sink, consumer_key, given - 1, (given - 1) * bytes};
  }
  return true;
}

SinkRoom::Room* SinkRoom::Find(const DeliverySink& sink) {
  for (size_t i = 0; i < count_; ++i) {
    if (rooms_[i].sink == &sink) return &rooms_[i];
  }
  return nullptr;
}

void SinkRoom::GiveBack(Room* room) {
  if (room->deliveries == 0 && room->bytes == 0) return;
  room->sink->GiveBack(room->consumer_key, std::exchange(room->deliveries, 0),
                       std::exchange(room->bytes, 0));
}

void SinkRoom::GiveBackAll() {
  for (size_t i = 0; i < count_; ++i) GiveBack(&rooms_[i]);
  count_ = 0;
}

}  // namespace kelpmq::service
