#ifndef KELPMQ_CLIENT_CPP_SRC_POLLER_H_
#define KELPMQ_CLIENT_CPP_SRC_POLLER_H_

#include <grpcpp/completion_queue.h>

#include <memory>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"

namespace kelpmq::client {

// A completion queue and the one thread that polls it.
// Thread-safety: thread-safe. Destroyed after Stop.
class Poller {
 public:
  // What a tag of the queue points to.
  class Completion {
   public:
    virtual void OnComplete(bool ok) = 0;

   protected:
    ~Completion() = default;
  };

  // Something that keeps operations on the queue.
  class Call {
   public:
    // Makes it end soon. Must not block or call back.
    virtual void Cancel() = 0;

   protected:
    ~Call() = default;
  };

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  grpc::CompletionQueue* queue() { return &queue_; }
  bool IsCurrentThread() const {
    return std::this_thread::get_id() == thread_id_;
  }

  // A call may use the queue between Begin and End; End comes on the polling
  // thread. Begin is false once the poller stops.
  bool Begin(Call* call);
  void End(Call* call);

  // Runs `task` on the polling thread. False, and nothing else, once the poller
  // stops.
  bool Post(absl::AnyInvocable<void()> task);
  // The same, later; drops the task if the poller stops before.
  void RunAfter(absl::Duration delay, absl::AnyInvocable<void()> task);

  // Cancels everything, waits until the last call has ended, and ends the
  // thread. Not on the polling thread. Later calls do nothing.
  void Stop();

 private:
  class Timer;

  bool StartTimer(std::unique_ptr<Timer> timer);
  void Poll();
  void ShutDownIfIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  grpc::CompletionQueue queue_;
  service::Mutex mu_;
  absl::flat_hash_set<Call*> calls_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool shut_down_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
  const std::thread::id thread_id_ = thread_.get_id();
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_POLLER_H_
