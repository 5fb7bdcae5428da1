#ifndef KELPMQ_SERVICE_QUEUE_SINK_ROOM_H_
#define KELPMQ_SERVICE_QUEUE_SINK_ROOM_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "service/engine/engine.h"
#include "service/queue/queue_core.h"

namespace kelpmq::service {

// Asks sinks for room, for several deliveries at once if they may follow: a
// sink takes a lock for it. What an operation of the core did not use must be
// given back before anything else happens.
// Thread-safety: thread-compatible. Owned by one Queue and used on its strand.
class SinkRoom : public RoomSource {
 public:
  bool TryReserve(DeliverySink& sink, uint32_t consumer_key, size_t bytes,
                  size_t may_follow) override;

  // Gives back what is left. The sinks must be there.
  void GiveBack() {
    if (count_ > 0) GiveBackAll();
  }

 private:
  // At most so many deliveries at once: others may want room as well.
  static constexpr size_t kMaxAtOnce = 64;
  // For so many sinks; those of more consumers are asked each time.
  static constexpr size_t kMaxSinks = 8;

  // What is left of what a sink gave.
  struct Room {
    DeliverySink* sink = nullptr;
    uint32_t consumer_key = 0;
    uint32_t deliveries = 0;
    size_t bytes = 0;
  };

  // What this sink gave, if it is kept here.
  Room* Find(const DeliverySink& sink);
  static void GiveBack(Room* room);
  void GiveBackAll();

  // Of one sink there is one at most: its consumers share its room, so none may
  // be refused for what is kept for another.
  std::array<Room, kMaxSinks> rooms_;
  size_t count_ = 0;  // the first ones are in use
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_SINK_ROOM_H_
