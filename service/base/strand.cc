#include "service/base/strand.h"

#include <utility>
#include <vector>

#include "service/base/aftermath.h"

namespace kelpmq::service {
namespace {

// What this thread is doing: the strand whose closure it runs, and the strands
// that this closure woke and that come next.
struct Running {
  const Strand* current = nullptr;
  std::deque<Closure> next;
};

Running& ThisThread() {
  thread_local Running running;
  return running;
}

}  // namespace

bool Strand::IsCurrent() const { return ThisThread().current == this; }

void Strand::Post(std::shared_ptr<const void> keep_alive, Closure closure) {
  Aftermath::Carry(&closure);
  {
    MutexLock lock(&mu_);
    posted_.push_back(std::move(closure));
    if (held_) return;
    held_ = true;
  }
  Running& running = ThisThread();
  if (running.current != nullptr) {
    running.next.push_back(
        [this, keep_alive = std::move(keep_alive)] { Drain(keep_alive); });
    return;
  }
  Drain(keep_alive);
  while (!running.next.empty()) {
    Closure drain = std::move(running.next.front());
    running.next.pop_front();
    std::move(drain)();
  }
}

void Strand::Drain(const std::shared_ptr<const void>& keep_alive) {
  Running& running = ThisThread();
  running.current = this;
  for (int i = 0; i < kMaxItemsPerHolder; ++i) {
    Closure closure;
    {
      MutexLock lock(&mu_);
      if (posted_.empty()) {
        held_ = false;
        running.current = nullptr;
        return;
      }
      closure = std::move(posted_.front());
      posted_.pop_front();
    }
    std::move(closure)();
  }
  running.current = nullptr;
  HandOver(keep_alive);
}

void Strand::HandOver(std::shared_ptr<const void> keep_alive) {
  executor_->Post([this, keep_alive = std::move(keep_alive)] {
    Running& running = ThisThread();
    Drain(keep_alive);
    while (!running.next.empty()) {
      Closure drain = std::move(running.next.front());
      running.next.pop_front();
      std::move(drain)();
    }
  });
}

}  // namespace kelpmq::service
