#ifndef KELPMQ_SERVICE_BASE_CLOCK_H_
#define KELPMQ_SERVICE_BASE_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace kelpmq::service {

// Where time comes from. Made in main (or a test fixture) and passed down;
// nothing else reads the time. Thread-safety: implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class RealClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_CLOCK_H_
