#ifndef KELPMQ_SERVICE_RPC_WATCH_STREAM_H_
#define KELPMQ_SERVICE_RPC_WATCH_STREAM_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kelpmq/v1/session.pb.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/timer_queue.h"
#include "service/resources/memory_alarm.h"
#include "service/rpc/reactor.h"
#include "service/rpc/sessions.h"
#include "service/rpc/stream_registry.h"

namespace kelpmq::service {

// One WatchSession stream: keeps its session alive and tells the client what
// happens to it. The client sees a heartbeat first, and one whenever nothing
// else was sent for an interval.
// Thread-safety: thread-safe but for the CallHandler part, which the poller
// calls. Made as a shared_ptr.
class WatchStream : public CallHandler,
                    public SessionUser,
                    public RegisteredStream,
                    public std::enable_shared_from_this<WatchStream> {
 public:
  static constexpr absl::Duration kDefaultHeartbeat = absl::Seconds(30);
  static constexpr absl::Duration kMinHeartbeat = absl::Seconds(1);
  static constexpr absl::Duration kMaxHeartbeat = absl::Minutes(10);
  // Notices that wait for a client that does not read. One more ends the
  // stream: no notice is dropped unseen.
  static constexpr size_t kMaxWaiting = 10000;

  // Heartbeats go by `clock` and `timers`. All must outlive the stream.
  WatchStream(const Engine* engine, Sessions* sessions, StreamRegistry* streams,
              const MemoryAlarm* memory, const Clock* clock, TimerQueue* timers)
      : engine_(engine),
        sessions_(sessions),
        streams_(streams),
        memory_(memory),
        clock_(clock),
        timers_(timers) {}

  void OnStart(CallRef call) override;
  void OnReadDone(bool ok, grpc::ByteBuffer message) override;
  void OnWriteDone(bool ok) override;
  void OnDone(bool cancelled) override;

  void EndForSession(absl::Status status, Released done) override;
  void ExclusiveQueueClosed(const std::string& queue,
                            CancelReason reason) override;

  void Drain(absl::Time deadline) override;
  void EndForDrain() override;
  void EndVhost(absl::string_view vhost) override;
  void AlarmChanged() override;
  void RecheckAccess() override;

 private:
  // What is to be done with a notice once the lock is gone.
  enum class Next { kNothing, kWrite, kGiveUp };

  // Checks the request and attaches to the session.
  absl::Status Begin(const grpc::ByteBuffer& message);
  void Send(const v1::WatchSessionResponse& response) ABSL_LOCKS_EXCLUDED(mu_);
  // Keeps `message` if another is being written.
  Next Take(grpc::ByteBuffer* message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Do(Next next, grpc::ByteBuffer message) ABSL_LOCKS_EXCLUDED(mu_);
  void SendHeartbeat();
  void ScheduleHeartbeat(absl::Time when) ABSL_LOCKS_EXCLUDED(mu_);
  void OnHeartbeatTimer();

  const Engine* const engine_;
  Sessions* const sessions_;
  StreamRegistry* const streams_;
  const MemoryAlarm* const memory_;
  const Clock* const clock_;
  TimerQueue* const timers_;

  // Set before anybody else knows the stream.
  CallRef call_;
  absl::Duration heartbeat_interval_;
  Sessions::Attachment attachment_;

  Mutex mu_;
  // At most kMaxWaiting. Heartbeats enter only while nothing waits.
  std::deque<grpc::ByteBuffer> outbox_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  bool told_blocked_ ABSL_GUARDED_BY(mu_) = false;  // by the last notice
  absl::Time last_sent_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  TimerQueue::TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerQueue::kNoTimer;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_WATCH_STREAM_H_
