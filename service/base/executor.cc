#include "service/base/executor.h"

#include <utility>

namespace kelpmq::service {

ThreadPoolExecutor::ThreadPoolExecutor(int threads) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
  }
}

ThreadPoolExecutor::~ThreadPoolExecutor() { Stop(); }

void ThreadPoolExecutor::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  std::deque<Closure> dropped;  // destroyed after the lock is gone
  MutexLock lock(&mu_);
  stopped_ = true;
  dropped.swap(posted_);
}

void ThreadPoolExecutor::Post(Closure closure) {
  {
    MutexLock lock(&mu_);
    if (stopped_) return;
    posted_.push_back(std::move(closure));
  }
  wake_.NotifyOne();
}

void ThreadPoolExecutor::Run() {
  while (true) {
    Closure next;
    {
      MutexLock lock(&mu_);
      while (posted_.empty()) {
        if (stopping_) return;
        wake_.Wait(&mu_);
      }
      next = std::move(posted_.front());
      posted_.pop_front();
    }
    std::move(next)();
  }
}

}  // namespace kelpmq::service
