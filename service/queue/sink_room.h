#ifndef KELPMQ_SERVICE_QUEUE_SINK_ROOM_H_
#define KELPMQ_SERVICE_QUEUE_SINK_ROOM_H_

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

  // Gives back what is left. The sink must be there.
  void GiveBack() {
    if (count_ > 0 || bytes_ > 0) GiveBackRest();
  }

 private:
  // At most so many at once: others may want room as well.
  static constexpr size_t kMaxAtOnce = 64;

  void GiveBackRest();

  // Whose room is left, and how much.
  DeliverySink* sink_ = nullptr;
  uint32_t consumer_key_ = 0;
  uint32_t count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_SINK_ROOM_H_
