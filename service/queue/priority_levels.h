#ifndef KELPMQ_SERVICE_QUEUE_PRIORITY_LEVELS_H_
#define KELPMQ_SERVICE_QUEUE_PRIORITY_LEVELS_H_

#include <algorithm>
#include <cstdint>

namespace kelpmq::service {

// Which priorities a queue tells apart: levels 0 to `highest`.
struct PriorityLevels {
  uint8_t highest = 0;
  uint8_t of_none = 0;  // the level of a message that names no priority

  // The level of a message's priority; 0 is none given. PRIO-02: above the
  // highest counts as that.
  uint8_t LevelOf(uint8_t priority) const {
    return std::min(priority == 0 ? of_none : priority, highest);
  }
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_PRIORITY_LEVELS_H_
