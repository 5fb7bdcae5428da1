#include "service/resources/alarm_rules.h"

#include <algorithm>

namespace kelpmq::service {
namespace {

// Less than this part of the mark is little.
constexpr uint64_t kLittlePart = 32;

}  // namespace

AlarmRules::AlarmRules(uint64_t high_bytes)
    : high_bytes_(high_bytes),
      low_bytes_(high_bytes / 100 * kLowPercent +
                 high_bytes % 100 * kLowPercent / 100) {}

bool AlarmRules::ShouldGiveBack(uint64_t used_bytes, absl::Time now) const {
  const uint64_t enough = on_ ? low_bytes_ : high_bytes_;
  return high_bytes_ > 0 && used_bytes >= enough && now >= next_give_back_;
}

void AlarmRules::GaveBack(uint64_t before, uint64_t after, absl::Time now) {
  const uint64_t gained = before - std::min(before, after);
  pause_ = gained < high_bytes_ / kLittlePart
               ? std::min(2 * pause_, kLongestPause)
               : kShortestPause;
  next_give_back_ = now + pause_;
}

void AlarmRules::Judge(uint64_t used_bytes) {
  if (high_bytes_ == 0) return;
  const bool nothing_happens = on_ && used_bytes >= last_used_;
  next_look_ =
      nothing_happens ? std::min(2 * next_look_, kLatestLook) : kSoonestLook;
  last_used_ = used_bytes;
  if (used_bytes >= high_bytes_) on_ = true;
  if (used_bytes < low_bytes_) on_ = false;
}

}  // namespace kelpmq::service
