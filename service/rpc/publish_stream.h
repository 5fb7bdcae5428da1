#ifndef KELPMQ_SERVICE_RPC_PUBLISH_STREAM_H_
#define KELPMQ_SERVICE_RPC_PUBLISH_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "service/auth/vhost_access.h"
#include "service/base/mutex.h"
#include "service/rpc/confirms.h"
#include "service/rpc/messaging_context.h"
#include "service/rpc/publish_request.h"
#include "service/rpc/reactor.h"
#include "service/rpc/stream_registry.h"

namespace kelpmq::service {

// One PublishStream: each request is one Engine::Publish, and its completion a
// confirm. Requests overlap; confirms that gather while a response is being
// written go out together in the next.
//
// The client is held back by not reading: once too much is unconfirmed, when a
// confirm has not been taken off our hands, for a moment when a queue fills
// faster than its consumers empty it (ADR 14), and during a memory alarm, of
// which it is told. What was being read when the alarm went on is kept until it
// is over. Thread-safety: thread-safe. Owned by its call; lives until its last
// completion.
class PublishStream : public CallHandler,
                      public RegisteredStream,
                      public std::enable_shared_from_this<PublishStream> {
 public:
  explicit PublishStream(const MessagingContext* context) : context_(context) {}

  void OnStart(CallRef call) override;
  void OnReadDone(bool ok, grpc::ByteBuffer message) override;
  void OnWriteDone(bool ok) override;
  void OnDone(bool cancelled) override;

  void Drain(absl::Time deadline) override;
  void EndForDrain() override;
  void EndVhost(absl::string_view vhost) override;
  void AlarmChanged() override { Pump(); }
  void RecheckAccess() override;

 private:
  // A request has come: decodes and publishes it, and reads on.
  void Take(grpc::ByteBuffer message);
  // Checks what the first request fixed and later ones must keep, and numbers
  // the request.
  absl::Status Accept(PublishRequestData* request);
  void Publish(PublishRequestData request, size_t bytes);
  void ReadMore();
  // Reads no more until the crowded queue is relieved, but not for long. With
  // null, until the one is that is waited for already.
  void WaitForRelief(const QueueRef& crowded);
  void OnRelieved();
  void EndWait();
  // Writes what has gathered, or finishes; one write at a time.
  void Pump();
  // No more requests; finishes once all that was read has been answered.
  void End(absl::Status status);

  const MessagingContext* const context_;
  CallRef call_;

  // Of the reads, which come one at a time.
  bool first_ = true;
  std::string producer_id_;
  v1::ConfirmMode confirm_mode_ = v1::CONFIRM_MODE_ALL;
  uint64_t last_sequence_ = 0;
  VhostAccess access_;

  mutable Mutex mu_;
  std::string vhost_ ABSL_GUARDED_BY(mu_);
  Confirms confirms_ ABSL_GUARDED_BY(mu_);
  uint32_t publishing_ ABSL_GUARDED_BY(mu_) = 0;  // not yet completed
  uint32_t unconfirmed_items_ ABSL_GUARDED_BY(mu_) = 0;
  size_t unconfirmed_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool held_back_ ABSL_GUARDED_BY(mu_) = false;  // no read under way
  // Nor while there is this, which came during an alarm.
  std::optional<grpc::ByteBuffer> held_request_ ABSL_GUARDED_BY(mu_);
  QueueRef crowded_ ABSL_GUARDED_BY(mu_);  // as last heard of
  bool relief_awaited_ ABSL_GUARDED_BY(mu_) = false;
  bool waiting_ ABSL_GUARDED_BY(mu_) = false;  // for it: no read under way
  uint32_t items_since_wait_ ABSL_GUARDED_BY(mu_) = 0;
  TimerQueue::TimerId wait_timer_ ABSL_GUARDED_BY(mu_) = TimerQueue::kNoTimer;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Time> draining_ ABSL_GUARDED_BY(mu_);  // to be told
  bool told_blocked_ ABSL_GUARDED_BY(mu_) = false;  // by the last notice
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_PUBLISH_STREAM_H_
