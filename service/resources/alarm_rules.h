#ifndef KELPMQ_SERVICE_RESOURCES_ALARM_RULES_H_
#define KELPMQ_SERVICE_RESOURCES_ALARM_RULES_H_

#include <cstdint>

#include "absl/time/time.h"

namespace kelpmq::service {

// When a memory alarm goes on and off, and when it is worth asking the
// allocator to give back what was freed. Pure.
// Thread-safety: thread-compatible.
class AlarmRules {
 public:
  // Off again this far below the mark, so that a publisher is not held and let
  // go with every few messages.
  static constexpr uint64_t kLowPercent = 90;
  // Giving back costs milliseconds: not more often than this, and half as often
  // after each time that it brought little.
  static constexpr absl::Duration kShortestPause = absl::Milliseconds(100);
  static constexpr absl::Duration kLongestPause = absl::Seconds(2);

  // While the alarm is on: how soon the next look should be, at first or when
  // memory is getting less, and at the latest when nothing happens.
  static constexpr absl::Duration kSoonestLook = absl::Milliseconds(50);
  static constexpr absl::Duration kLatestLook = absl::Milliseconds(800);

  // high_bytes: the mark; 0: the alarm never goes on.
  explicit AlarmRules(uint64_t high_bytes);

  bool on() const { return on_; }
  uint64_t high_bytes() const { return high_bytes_; }
  uint64_t low_bytes() const { return low_bytes_; }

  // Whether freed memory should be given back before `used_bytes` is judged:
  // there is too much of it, and it has not been tried just now.
  bool ShouldGiveBack(uint64_t used_bytes, absl::Time now) const;
  // It was tried, and left `after` of `before`.
  void GaveBack(uint64_t before, uint64_t after, absl::Time now);

  // Judges a reading: on at the mark, off below low_bytes.
  void Judge(uint64_t used_bytes);
  // After a judgement that left the alarm on: when to look again.
  absl::Duration next_look() const { return next_look_; }

 private:
  uint64_t high_bytes_;
  uint64_t low_bytes_;
  bool on_ = false;
  uint64_t last_used_ = 0;
  absl::Duration next_look_ = kSoonestLook;
  absl::Time next_give_back_ = absl::InfinitePast();
  absl::Duration pause_ = kShortestPause;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RESOURCES_ALARM_RULES_H_
