#include "client/cpp/src/poller.h"

#include <grpcpp/alarm.h>

#include <chrono>
#include <utility>

namespace kelpmq::client {

// Owns itself once started: deleted when its tag has come back.
class Poller::Timer final : public Completion, public Call {
 public:
  Timer(Poller* poller, absl::Duration delay, absl::AnyInvocable<void()> task)
      : poller_(poller), delay_(delay), task_(std::move(task)) {}

  void Start() {
    alarm_.Set(
        poller_->queue(),
        std::chrono::system_clock::now() +
            std::chrono::duration_cast<std::chrono::system_clock::duration>(
                absl::ToChronoNanoseconds(delay_)),
        static_cast<Completion*>(this));
  }
  // What was posted runs in any case.
  void Cancel() override {
    if (delay_ > absl::ZeroDuration()) alarm_.Cancel();
  }
  void OnComplete(bool ok) override {
    if (ok) task_();
    // Before End: what the task holds may still need the poller.
    task_ = nullptr;
    poller_->End(this);
    delete this;
  }

 private:
  Poller* const poller_;
  const absl::Duration delay_;
  absl::AnyInvocable<void()> task_;
  grpc::Alarm alarm_;
};

Poller::Poller() : thread_([this] { Poll(); }) {}

Poller::~Poller() { Stop(); }

bool Poller::Begin(Call* call) {
  service::MutexLock lock(&mu_);
  if (stopping_) return false;
  calls_.insert(call);
  return true;
}

void Poller::End(Call* call) {
  service::MutexLock lock(&mu_);
  calls_.erase(call);
  ShutDownIfIdle();
}

bool Poller::Post(absl::AnyInvocable<void()> task) {
  return StartTimer(
      std::make_unique<Timer>(this, absl::ZeroDuration(), std::move(task)));
}

void Poller::RunAfter(absl::Duration delay, absl::AnyInvocable<void()> task) {
  StartTimer(std::make_unique<Timer>(this, delay, std::move(task)));
}

bool Poller::StartTimer(std::unique_ptr<Timer> timer) {
  service::MutexLock lock(&mu_);
  if (stopping_) return false;
  calls_.insert(timer.get());
  // Under the lock, so that Stop never cancels an alarm that is not set.
  timer.release()->Start();
  return true;
}

void Poller::Stop() {
  {
    service::MutexLock lock(&mu_);
    if (!stopping_) {
      stopping_ = true;
      // Cancelling only asks gRPC: completions come by the queue.
      for (Call* const call : calls_) call->Cancel();
      ShutDownIfIdle();
    }
  }
  if (thread_.joinable()) thread_.join();
}

void Poller::ShutDownIfIdle() {
  if (!stopping_ || shut_down_ || !calls_.empty()) return;
  shut_down_ = true;
  queue_.Shutdown();
}

void Poller::Poll() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) static_cast<Completion*>(tag)->OnComplete(ok);
}

}  // namespace kelpmq::client
