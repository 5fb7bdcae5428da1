#ifndef KELPMQ_SERVICE_RPC_DELIVERY_STREAM_H_
#define KELPMQ_SERVICE_RPC_DELIVERY_STREAM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "kelpmq/v1/messaging.pb.h"
#include "service/auth/vhost_access.h"
#include "service/rpc/barrier.h"
#include "service/rpc/lease.h"
#include "service/rpc/messaging_context.h"
#include "service/rpc/outbox.h"
#include "service/rpc/reactor.h"
#include "service/rpc/sessions.h"
#include "service/rpc/stream_registry.h"
#include "service/rpc/stream_window.h"

namespace kelpmq::service {

// How a kind of stream writes what happens on it.
class DeliveryFraming {
 public:
  virtual ~DeliveryFraming() = default;
  virtual grpc::ByteBuffer Deliveries(
      absl::Span<const TaggedDelivery> deliveries) const = 0;
  virtual grpc::ByteBuffer Started(v1::ConsumerStarted started) const = 0;
  virtual grpc::ByteBuffer Lost(v1::DeliveriesLost lost) const = 0;
  virtual grpc::ByteBuffer Heartbeat(uint64_t request_id) const = 0;
  virtual grpc::ByteBuffer Draining(v1::Draining draining) const = 0;
  // A consumer has ended. Nothing: the stream has but one and ends with it,
  // with the status of the error.
  virtual std::optional<grpc::ByteBuffer> Cancelled(
      v1::ConsumerCancelled cancelled) const = 0;
};

// What Subscribe and Consume share: an AMQP channel. One lease and tag space,
// consumers, a window, an outbox, and one way to end.
//
// Engine, poller and timer threads call it. One mutex, the lease's, guards the
// state; it is never held while calling the engine, gRPC or anything handed in.
// The call's events come through OnWriteDone and OnDone of its handler, which
// owns it; engine and registries hold it while they may still call.
class DeliveryStream : public DeliverySink,
                       public SessionUser,
                       public RegisteredStream,
                       public std::enable_shared_from_this<DeliveryStream> {
 public:
  // `read_more` is called (once per HoldReads) when reading may go on.
  static std::shared_ptr<DeliveryStream> Create(
      const MessagingContext* context, CallRef call,
      std::unique_ptr<DeliveryFraming> framing,
      std::function<void()> read_more);

  // Binds vhost, session and limits: once, before all else. The error is the
  // stream's.
  absl::Status Open(const v1::StreamOptions& options);

  // Each answers through the outbox. `ends_stream`: a failure is the stream's
  // status instead of a `cancelled`.
  void StartConsumer(const v1::ConsumerSpec& spec, bool ends_stream);
  void CancelConsumer(uint32_t consumer_id);
  void GrantCredit(const v1::GrantCredit& credit);
  void SetFlow(const v1::SetFlow& flow);
  void Settle(const v1::Settle& settle);
  void Get(const v1::StreamGet& get);
  void Ping(uint64_t request_id);

  // Whether the client must be held back: it does not read its replies, or its
  // last request waits for one before it. After true, read_more follows.
  bool HoldReads();

  // Ends the stream once all operations that have begun are through: consumers
  // removed, deliveries requeued, replies flushed, then `status`. The first
  // end counts.
  void End(absl::Status status);

  void OnWriteDone(bool ok);
  void OnDone();

  const std::string& lease_id() const { return lease_->id(); }

  // DeliverySink
  uint32_t Reserve(uint32_t consumer_key, size_t bytes,
                   uint32_t wanted) override;
  void GiveBack(uint32_t consumer_key, uint32_t count, size_t bytes) override;
  void Deliver(uint32_t consumer_key,
               std::vector<Delivery> deliveries) override;
  void ConsumerCancelled(uint32_t consumer_key, CancelReason reason,
                         absl::Status error, uint64_t required_bytes) override;
  void DeliveriesLost(const QueueRef& queue,
                      absl::Span<const uint64_t> delivery_ids,
                      LostReason reason) override;
  void CreditDrained(uint32_t consumer_key, uint32_t unused_credit) override;

  // SessionUser
  void EndForSession(absl::Status status, Released done) override;
  uint64_t unacked_count() const override { return lease_->out_count(); }

  // RegisteredStream
  void Drain(absl::Time deadline) override;
  void EndForDrain() override;
  void EndVhost(absl::string_view vhost) override;
  void RecheckAccess() override;

 private:
  // What a client asks of a consumer, with its place in the stream's order.
  struct Operation {
    using Run = absl::AnyInvocable<void(const ConsumerRef&, Barrier::Ticket)>;
    Run run;  // ends the ticket when its effect is done
    Barrier::Ticket ticket;
  };
  struct Consumer {
    uint32_t consumer_id = 0;
    std::string consumer_tag;
    ConsumerRef ref;  // its queue is null until the engine has started it
    // What the client asked for while it was starting.
    std::vector<Operation> when_started;
    bool resume_when_started = false;
    bool cancelling = false;  // the client has asked for its end
  };
  enum class State { kOpen, kEnding, kReleasing, kReleased, kFinished };

  DeliveryStream(const MessagingContext* context, CallRef call,
                 std::unique_ptr<DeliveryFraming> framing,
                 std::function<void()> read_more);

  absl::StatusOr<ConsumeParams> MakeConsumeParams(const v1::ConsumerSpec& spec,
                                                  ConsumerKey key) const;
  // Whether a consumer is in the way whose cancel is still under way: what the
  // client sent first takes effect first. Requires lease_->mu().
  bool WaitsForCancel(const v1::ConsumerSpec& spec) const;
  // A consumer is gone: the start that waited for it, if any, goes on.
  void StartWaiting();
  // Checks id, tag and count, and enters the consumer as starting.
  absl::StatusOr<ConsumerKey> Enter(const v1::ConsumerSpec& spec,
                                    std::string tag);
  void OnStarted(ConsumerKey key, const ConsumeParams& params,
                 absl::StatusOr<ConsumerRef> result, bool ends_stream);
  void StartFailed(const v1::ConsumerSpec& spec, absl::Status error,
                   bool ends_stream);
  // Runs it once the consumer has started; never if it is not there.
  void WhenStarted(uint32_t consumer_id, Operation::Run run);
  void Cancelled(ConsumerKey key, CancelReason reason, absl::Status error,
                 uint64_t required_bytes);
  void Wake(const std::vector<ConsumerKey>& keys);
  // Cancels those whose queue the user may not read any more.
  void CancelRevoked(
      const std::vector<std::pair<ConsumerKey, ConsumerRef>>& consumers);

  // A ticket for an operation; none once the stream has begun to end: what
  // comes after that has no effect.
  std::optional<Barrier::Ticket> Begin();
  absl::Status Bind(const v1::StreamOptions& options);
  void Finished(Barrier::Ticket ticket);
  // What holds reads back. Requires lease_->mu().
  bool TooMuchWaits() const;
  void AddReply(grpc::ByteBuffer reply, std::vector<uint64_t> ack_tags = {});
  void GotError(uint64_t request_id, const absl::Status& error);
  // Writes the next response, finishes, reads on: whatever is due.
  void Pump();
  void Write(Outbox::Response response);
  void ReleaseIfQuiet();
  void OnReleased(uint64_t requeued_count);
  void ScheduleHeartbeat(absl::Time when);
  void OnHeartbeatTimer();

  const MessagingContext* const context_;
  const CallRef call_;
  const std::unique_ptr<DeliveryFraming> framing_;
  const std::function<void()> read_more_;
  const std::shared_ptr<Lease> lease_;

  // Set by Open, constant afterwards.
  std::string vhost_;
  OwnerId owner_ = kNoOwner;
  std::string client_name_;
  Sessions::Attachment session_;
  LoginRef login_;
  uint32_t max_response_bytes_ = 0;
  uint32_t max_batch_messages_ = 0;
  size_t max_batch_bytes_ = 0;
  absl::Duration heartbeat_interval_;
  std::unique_ptr<StreamWindow> window_;  // never null after Open

  // Used by requests, which come one at a time.
  VhostAccess access_;

  // All guarded by lease_->mu().
  State state_ = State::kOpen;
  bool registered_ = false;
  bool draining_ = false;
  uint32_t last_number_ = 0;  // of consumers
  absl::flat_hash_map<ConsumerKey, Consumer> consumers_;
  absl::flat_hash_map<uint32_t, ConsumerKey> key_of_;  // by consumer_id
  // See WaitsForCancel. No request is read until it has begun.
  std::optional<v1::ConsumerSpec> waiting_start_;
  bool start_waits_ = false;
  Outbox outbox_;
  Barrier barrier_;
  bool writing_ = false;
  bool reads_held_ = false;
  absl::Time last_write_ = absl::InfinitePast();
  TimerQueue::TimerId heartbeat_timer_ = TimerQueue::kNoTimer;
  absl::Status end_;
  uint64_t requeued_count_ = 0;
  std::vector<Released> on_released_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_DELIVERY_STREAM_H_
