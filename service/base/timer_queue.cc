#include "service/base/timer_queue.h"

#include <algorithm>
#include <vector>

#include "service/base/aftermath.h"

namespace kelpmq::service {

TimerQueue::~TimerQueue() { Stop(); }

void TimerQueue::Stop() {
  std::map<Key, Closure> forgotten;  // destroyed after the lock is gone
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    forgotten.swap(scheduled_);
    times_.clear();
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void TimerQueue::Start() {
  thread_ = std::thread([this] { Run(); });
}

TimerQueue::TimerId TimerQueue::Schedule(absl::Time when, Closure closure) {
  TimerId id;
  bool is_next;
  {
    MutexLock lock(&mu_);
    id = ++last_id_;
    if (stopping_) return id;
    auto it = scheduled_.emplace(Key(when, id), std::move(closure)).first;
    times_.emplace(id, when);
    is_next = it == scheduled_.begin();
  }
  if (is_next) wake_.NotifyAll();
  return id;
}

bool TimerQueue::Cancel(TimerId id) {
  Closure dropped;  // destroyed after the lock is gone: it may own anything
  MutexLock lock(&mu_);
  auto time = times_.find(id);
  if (time == times_.end()) return false;
  auto it = scheduled_.find(Key(time->second, id));
  dropped = std::move(it->second);
  scheduled_.erase(it);
  times_.erase(time);
  return true;
}

absl::Time TimerQueue::NextDue() {
  MutexLock lock(&mu_);
  return scheduled_.empty() ? absl::InfiniteFuture()
                            : scheduled_.begin()->first.first;
}

int TimerQueue::RunDue() {
  std::vector<Closure> due;
  {
    MutexLock lock(&mu_);
    const absl::Time now = clock_->Now();
    while (!scheduled_.empty() && scheduled_.begin()->first.first <= now) {
      auto first = scheduled_.begin();
      times_.erase(first->first.second);
      due.push_back(std::move(first->second));
      scheduled_.erase(first);
    }
  }
  for (Closure& closure : due) {
    Aftermath::Carry(&closure);
    executor_->Post(std::move(closure));
  }
  return static_cast<int>(due.size());
}

void TimerQueue::Run() {
  // The clock may be set back or forward while we sleep: look again this often.
  constexpr absl::Duration kMaxSleep = absl::Seconds(60);
  while (true) {
    {
      MutexLock lock(&mu_);
      while (true) {
        if (stopping_) return;
        absl::Duration sleep = absl::InfiniteDuration();
        if (!scheduled_.empty()) {
          sleep = scheduled_.begin()->first.first - clock_->Now();
        }
        if (sleep <= absl::ZeroDuration()) break;
        if (scheduled_.empty()) {
          wake_.Wait(&mu_);
        } else {
          wake_.WaitFor(&mu_, std::min(sleep, kMaxSleep));
        }
      }
    }
    RunDue();
  }
}

}  // namespace kelpmq::service
