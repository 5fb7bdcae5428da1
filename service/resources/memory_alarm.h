#ifndef KELPMQ_SERVICE_RESOURCES_MEMORY_ALARM_H_
#define KELPMQ_SERVICE_RESOURCES_MEMORY_ALARM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/timer_queue.h"
#include "service/resources/alarm_rules.h"
#include "service/resources/memory_source.h"

namespace kelpmq::service {

// Watches the memory of this process and raises an alarm when there is too much
// of it: then nothing more must be taken in from publishers.
//
// Memory is read when enough has been taken in since the last reading to make
// a difference, and on a timer only as long as the alarm is on: a broker in
// which nothing happens does nothing here.
// Thread-safety: thread-safe.
class MemoryAlarm {
 public:
  struct Marks {
    uint64_t limit_bytes = 0;  // what the process may have; to be shown
    uint64_t high_bytes = 0;   // the alarm goes on; 0: never
  };
  // `on_change` runs after on() has changed, on the thread that found out and
  // perhaps on two at once: whoever is told asks on().
  // All that is pointed to must outlive the alarm; the timers must be stopped
  // before it is destroyed.
  MemoryAlarm(MemorySource* source, const Clock* clock, TimerQueue* timers,
              const Log* log, absl::AnyInvocable<void() const> on_change);

  // Takes a first look. Before this the alarm is off and looks at nothing.
  // Once, before other threads know the alarm.
  void Begin(const Marks& marks);

  bool on() const { return on_.load(std::memory_order_acquire); }
  const Marks& marks() const { return marks_; }
  // A reading that is judged by nobody.
  uint64_t UsedBytes() const { return source_->UsedBytes(); }
  // How often it has gone on.
  uint64_t raised_count() const {
    return raised_count_.load(std::memory_order_relaxed);
  }

  // Something of this size has been taken in. Costs an atomic addition, but for
  // once in a while.
  void TookIn(size_t bytes) {
    if (taken_in_.fetch_add(bytes, std::memory_order_relaxed) + bytes >=
        reading_bytes_) {
      Look();
    }
  }

  // Reads and judges now; unless somebody else is at it.
  void Look();

 private:
  // Looks again soon, as long as the alarm is on.
  void WatchWhileOn();

  Marks marks_;
  uint64_t reading_bytes_ = UINT64_MAX;  // taken in between two readings
  MemorySource* const source_;
  const Clock* const clock_;
  TimerQueue* const timers_;
  const Log* const log_;
  const absl::AnyInvocable<void() const> on_change_;

  std::atomic<uint64_t> taken_in_{0};
  std::atomic<uint64_t> raised_count_{0};
  std::atomic<bool> on_{false};
  std::atomic<int64_t> next_look_ms_{0};
  std::atomic<bool> watching_{false};  // a timer is set
  std::atomic<bool> looking_{false};   // who sets it has rules_ to itself
  AlarmRules rules_{0};
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RESOURCES_MEMORY_ALARM_H_
