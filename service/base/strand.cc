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
  int together = 0;  // how many Together there are
  std::deque<Closure> next;

  // Nothing is to run before what runs, or lines up, already.
  bool busy() const { return current != nullptr || together > 0; }
  void RunNext() {
    while (!next.empty()) {
      Closure drain = std::move(next.front());
      next.pop_front();
      std::move(drain)();
    }
  }
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
  if (running.busy()) {
    running.next.push_back(
        [this, keep_alive = std::move(keep_alive)] { Drain(keep_alive); });
    return;
  }
  Drain(keep_alive);
  running.RunNext();
}

Strand::Together::Together() { ++ThisThread().together; }

Strand::Together::~Together() {
  Running& running = ThisThread();
  --running.together;
  // Else whoever made it run does so.
  if (!running.busy()) running.RunNext();
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
    Drain(keep_alive);
    ThisThread().RunNext();
  });
}

}  // namespace kelpmq::service
