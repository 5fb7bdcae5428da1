#ifndef KELPMQ_SERVICE_BASE_STRAND_H_
#define KELPMQ_SERVICE_BASE_STRAND_H_

#include <deque>
#include <memory>

#include "service/base/executor.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

// Runs closures one at a time, in the order they were posted.
//
// An idle strand runs a closure at once in the caller's thread, so that the
// common path has no thread hop. A busy one leaves it to the thread that holds
// the strand. Inline runs never nest: what a closure posts to any strand runs
// after that closure has returned, on the same thread, so a chain of queues
// that feed each other never becomes a deep stack. After kMaxItemsPerHolder
// closures the holder hands the rest to the executor, so that no caller's
// thread is kept for good.
//
// Thread-safety: thread-safe. Must outlive its closures: share ownership of
// what owns the strand with each closure.
class Strand {
 public:
  // As long as one lives, what this thread posts to idle strands only lines up;
  // it runs, in order, at the end. So several strands get what is meant for
  // them before anything that the first of them causes. To be destroyed on the
  // thread that made it, in reverse order of making.
  class Together;

  static constexpr int kMaxItemsPerHolder = 4096;

  explicit Strand(Executor* executor) : executor_(executor) {}
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  // `keep_alive` owns the strand (usually the object that embeds it) and is
  // held until the strand has come to rest.
  void Post(std::shared_ptr<const void> keep_alive, Closure closure);

  // True on the thread that runs a closure of this strand right now.
  bool IsCurrent() const;

 private:
  // Runs closures until none is left or the holder's share is used up.
  void Drain(const std::shared_ptr<const void>& keep_alive);
  void HandOver(std::shared_ptr<const void> keep_alive);

  Executor* const executor_;
  Mutex mu_;
  std::deque<Closure> posted_ ABSL_GUARDED_BY(mu_);
  bool held_ ABSL_GUARDED_BY(mu_) = false;
};

class Strand::Together {
 public:
  Together();
  ~Together();
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_STRAND_H_
