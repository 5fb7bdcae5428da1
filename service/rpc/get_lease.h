#ifndef KELPMQ_SERVICE_RPC_GET_LEASE_H_
#define KELPMQ_SERVICE_RPC_GET_LEASE_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/rpc/lease.h"
#include "service/rpc/messaging_context.h"
#include "service/rpc/sessions.h"

namespace kelpmq::service {

// Holds what one Get delivered, until it is settled, its time is over, or the
// session it named ends; the last two requeue.
// Thread-safety: thread-safe. Kept alive by its timer, and by the engine while
// it holds deliveries.
class GetLease : public DeliverySink,
                 public SessionUser,
                 public std::enable_shared_from_this<GetLease> {
 public:
  static std::shared_ptr<GetLease> Create(const MessagingContext* context);

  // Ends with this session, too: with what it is attached by. Before Begin.
  void set_session(Sessions::Attachment session);
  // Who alone may settle by its id. Before Begin.
  void set_user(std::string user) { lease_->set_user(std::move(user)); }
  // Runs when the session ends the lease. Before it is attached.
  void set_on_session_end(std::function<void()> on_session_end) {
    on_session_end_ = std::move(on_session_end);
  }
  // OK, or how the session has ended, and the lease with it.
  absl::Status session_end() const;

  // Tags 1, 2, ... for these deliveries.
  void Issue(const QueueRef& queue, absl::Span<const Delivery> deliveries);
  // From now on the lease can be found by its id, for `duration`. Returns when
  // that is over; or session_end() if that came first, after giving back what
  // was issued.
  absl::StatusOr<absl::Time> Begin(absl::Duration duration);
  // Nobody will settle: requeues what is out. `done` gets how many.
  void Abandon(Released done);
  // Acks all that is out: what an auto_ack Get delivered has arrived.
  void AckAll();

  const std::string& id() const { return lease_->id(); }

  // DeliverySink; a Get's deliveries come with its result, not through here.
  uint32_t Reserve(uint32_t consumer_key, size_t bytes,
                   uint32_t wanted) override;
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

 private:
  explicit GetLease(const MessagingContext* context);

  absl::StatusOr<absl::Time> Extend(absl::Duration duration);
  // Lets the lease run out at this time; false: it is over already.
  bool Schedule(absl::Time when);
  void OnTimer();
  // Takes it off the tables once; false: that has been done.
  bool Forget(Leases::End end);
  void Release(Released done);
  void Detach();

  const MessagingContext* const context_;
  const std::shared_ptr<Lease> lease_;
  std::function<void()> on_session_end_;

  mutable Mutex mu_;
  Sessions::Attachment session_ ABSL_GUARDED_BY(mu_);
  absl::Status session_end_ ABSL_GUARDED_BY(mu_);
  absl::Time expire_time_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  TimerQueue::TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerQueue::kNoTimer;
  bool forgotten_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_GET_LEASE_H_
