#include "service/rpc/call_queue.h"

#include <pthread.h>

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"

namespace kelpmq::service {
namespace {

// Calls that can come in within one turn of the poller without waiting for the
// next accept; more of them bring nothing measurable.
constexpr int kPostedAccepts = 4;

}  // namespace

CallQueue::~CallQueue() {
  if (stopping_) return;
  // Never started, but a queue wants its shutdown all the same.
  queue_->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
  }
}

void CallQueue::Start(int index) {
  for (int i = 0; i < kPostedAccepts; ++i) AcceptOne();
  thread_ = std::thread([this, index] { Poll(index); });
}

void CallQueue::StopWhenIdle() {
  fence_alarm_.Set(queue_.get(), std::chrono::system_clock::now(), &fence_);
}

void CallQueue::Join() {
  if (thread_.joinable()) thread_.join();
}

void CallQueue::AcceptOne() {
  ++calls_;
  GenericCall::Accept(service_, queue_.get(), this);
}

void CallQueue::OnAccepted(GenericCall* call) {
  // First of all, so that the next call need not wait for this one.
  if (accepting_.load(std::memory_order_acquire)) AcceptOne();
  (*on_call_)(call);
}

void CallQueue::OnClosed() {
  --calls_;
  ShutDownIfIdle();
}

void CallQueue::OnFence() {
  stopping_ = true;
  ShutDownIfIdle();
}

void CallQueue::ShutDownIfIdle() {
  // Not earlier: gRPC aborts when something is begun on a queue that is shut
  // down, and a live call may begin something from any thread.
  if (stopping_ && calls_ == 0) queue_->Shutdown();
}

void CallQueue::Poll(int index) {
  pthread_setname_np(pthread_self(), absl::StrCat("kelpmq-io-", index).c_str());
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    static_cast<CompletionTag*>(tag)->OnComplete(ok);
  }
}

}  // namespace kelpmq::service
