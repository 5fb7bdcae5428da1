#include "service/resources/memory_alarm.h"

#include <algorithm>
#include <utility>

namespace kelpmq::service {
namespace {

// The mark may be passed by what is taken in between two readings.
constexpr uint64_t kReadingsToTheMark = 128;
constexpr uint64_t kLeastReadingBytes = 64 * 1024;
constexpr uint64_t kMostReadingBytes = 8 * 1024 * 1024;

uint64_t ReadingBytes(uint64_t high_bytes) {
  if (high_bytes == 0) return UINT64_MAX;
  return std::clamp(high_bytes / kReadingsToTheMark, kLeastReadingBytes,
                    kMostReadingBytes);
}

}  // namespace

MemoryAlarm::MemoryAlarm(MemorySource* source, const Clock* clock,
                         TimerQueue* timers, const Log* log,
                         absl::AnyInvocable<void() const> on_change)
    : source_(source),
      clock_(clock),
      timers_(timers),
      log_(log),
      on_change_(std::move(on_change)) {}

void MemoryAlarm::Begin(const Marks& marks) {
  marks_ = marks;
  reading_bytes_ = ReadingBytes(marks.high_bytes);
  rules_ = AlarmRules(marks.high_bytes);
  Look();
}

void MemoryAlarm::Look() {
  if (marks_.high_bytes == 0) return;
  if (looking_.exchange(true, std::memory_order_acquire)) return;
  taken_in_.store(0, std::memory_order_relaxed);
  const bool was_on = rules_.on();
  uint64_t used = source_->UsedBytes();
  const absl::Time now = clock_->Now();
  if (rules_.ShouldGiveBack(used, now)) {
    const uint64_t before = used;
    source_->GiveBackFreed();
    used = source_->UsedBytes();
    rules_.GaveBack(before, used, now);
  }
  rules_.Judge(used);
  const bool is_on = rules_.on();
  on_.store(is_on, std::memory_order_release);
  next_look_ms_.store(absl::ToInt64Milliseconds(rules_.next_look()));
  looking_.store(false, std::memory_order_release);

  if (is_on && !was_on) {
    raised_count_.fetch_add(1, std::memory_order_relaxed);
    log_->Warning("memory alarm: publishers are held back",
                  {{"used_bytes", used},
                   {"high_watermark_bytes", marks_.high_bytes},
                   {"limit_bytes", marks_.limit_bytes}});
  } else if (was_on && !is_on) {
    log_->Info("memory alarm is over", {{"used_bytes", used}});
  }
  if (is_on != was_on) on_change_();
  WatchWhileOn();
}

void MemoryAlarm::WatchWhileOn() {
  if (!on() || watching_.exchange(true)) return;
  timers_->Schedule(clock_->Now() + absl::Milliseconds(next_look_ms_.load()),
                    [this] {
                      watching_.store(false);
                      Look();
                      WatchWhileOn();
                    });
}

}  // namespace kelpmq::service
