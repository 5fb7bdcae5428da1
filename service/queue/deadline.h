#ifndef KELPMQ_SERVICE_QUEUE_DEADLINE_H_
#define KELPMQ_SERVICE_QUEUE_DEADLINE_H_

#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace kelpmq::service {

// A moment, or never, in eight bytes: queues hold millions. Its unit is the
// microsecond; what is finer is cut off.
class Deadline {
 public:
  Deadline() = default;  // never
  // What lies too far ahead to be told in microseconds is never.
  explicit Deadline(absl::Time time) : us_(absl::ToUnixMicros(time)) {}
  // `time` after `now`; never without a limit, at the cost of a comparison.
  static Deadline After(absl::Time now, absl::Duration time) {
    if (time == absl::InfiniteDuration()) return Deadline();
    return Deadline(now + time);
  }

  bool is_never() const { return us_ == kNever; }
  bool IsDue(absl::Time now) const {
    return !is_never() && us_ <= absl::ToUnixMicros(now);
  }
  // InfiniteFuture for never.
  absl::Time time() const {
    return is_never() ? absl::InfiniteFuture() : absl::FromUnixMicros(us_);
  }

  friend bool operator==(Deadline a, Deadline b) { return a.us_ == b.us_; }
  friend bool operator<(Deadline a, Deadline b) { return a.us_ < b.us_; }

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  int64_t us_ = kNever;  // since 1970
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_DEADLINE_H_
