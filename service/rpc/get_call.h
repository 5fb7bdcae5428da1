#ifndef KELPMQ_SERVICE_RPC_GET_CALL_H_
#define KELPMQ_SERVICE_RPC_GET_CALL_H_

#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kelpmq/v1/messaging.pb.h"
#include "service/rpc/get_lease.h"
#include "service/rpc/messaging_context.h"
#include "service/rpc/reactor.h"
#include "service/rpc/stream_registry.h"

namespace kelpmq::service {

// One Get, which may wait for a first message. A handler of its own since it
// must notice that its client has gone: what it took then goes back at once.
// Owned by its call; lives until the engine has answered.
class GetCall : public CallHandler,
                public RegisteredStream,
                public std::enable_shared_from_this<GetCall> {
 public:
  explicit GetCall(const MessagingContext* context) : context_(context) {}

  void OnStart(CallRef call) override;
  void OnReadDone(bool ok, grpc::ByteBuffer message) override;
  void OnWriteDone(bool ok) override;
  void OnDone(bool cancelled) override;

  // A call that waits is over when the server drains.
  void Drain(absl::Time deadline) override;
  void EndForDrain() override;
  void EndVhost(absl::string_view vhost) override;
  void RecheckAccess() override;

 private:
  // What the request means, checked.
  struct Wanted {
    GetParams params;
    absl::Duration wait;
    absl::Duration lease_duration;
    bool auto_ack = false;
  };
  absl::StatusOr<Wanted> Read(const v1::GetRequest& request);
  // Whether the user may still read the queue.
  absl::Status CheckAccess(const std::string& vhost,
                           const std::string& queue) const;
  void StartWait(absl::Duration wait);
  void EndWait();
  void OnResult(bool auto_ack, absl::Duration lease_duration,
                absl::StatusOr<GetResult> result);

  const MessagingContext* const context_;
  CallRef call_;
  std::shared_ptr<GetLease> lease_;
  EndGetWaitParams wait_;  // constant once waits_ is set
  std::atomic<bool> waits_{false};
  TimerQueue::TimerId wait_timer_ = TimerQueue::kNoTimer;  // poller thread
  std::atomic<bool> gone_{false};                          // the client has
  std::atomic<bool> answered_{false};
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_GET_CALL_H_
