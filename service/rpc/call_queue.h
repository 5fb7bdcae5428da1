#ifndef KELPMQ_SERVICE_RPC_CALL_QUEUE_H_
#define KELPMQ_SERVICE_RPC_CALL_QUEUE_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/async_generic_service.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "service/rpc/generic_call.h"

namespace kelpmq::service {

// One completion queue, the thread that polls it, and the calls that live on
// it. Threads never share a queue: two pollers cost each other more than the
// second one brings.
//
// In order: constructed before the grpc::Server is built, Start, StopAccepting
// and grpc::Server::Shutdown, StopWhenIdle, Join, and destroyed after the
// grpc::Server. Thread-safety: thread-compatible.
class CallQueue : private GenericCall::Owner {
 public:
  // Decides on each call by GenericCall::Serve or Refuse. Runs on the polling
  // threads of all the queues.
  using OnCall = std::function<void(GenericCall*)>;

  CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue,
            grpc::AsyncGenericService* service, const OnCall* on_call)
      : queue_(std::move(queue)), service_(service), on_call_(on_call) {}
  ~CallQueue();

  // Starts to accept, on a thread of its own. `index` names it.
  void Start(int index);
  // Calls that come in from now on are not accepted any more.
  void StopAccepting() { accepting_.store(false, std::memory_order_release); }
  // Lets the thread end once its last call has. The server must have shut
  // down.
  void StopWhenIdle();
  void Join();

 private:
  // Comes through the queue after all that was put there before it.
  class Fence final : public CompletionTag {
   public:
    explicit Fence(CallQueue* owner) : owner_(owner) {}
    void OnComplete(bool ok) override { owner_->OnFence(); }

   private:
    CallQueue* const owner_;
  };

  void OnAccepted(GenericCall* call) override;
  void OnClosed() override;
  void OnFence();
  void AcceptOne();
  void ShutDownIfIdle();
  void Poll(int index);

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  grpc::AsyncGenericService* const service_;
  const OnCall* const on_call_;
  std::atomic<bool> accepting_{true};
  Fence fence_{this};
  grpc::Alarm fence_alarm_;

  // Used by the polling thread alone.
  int calls_ = 0;  // waiting ones included
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CALL_QUEUE_H_
