#include "service/rpc/get_lease.h"

#include <utility>

#include "service/base/error.h"
#include "service/rpc/stream_window.h"

namespace kelpmq::service {

std::shared_ptr<GetLease> GetLease::Create(const MessagingContext* context) {
  std::shared_ptr<GetLease> created(new GetLease(context));
  std::weak_ptr<GetLease> weak = created;
  Lease::Hooks hooks;
  hooks.on_empty = [weak] {
    if (auto self = weak.lock()) self->Forget(Leases::End::kAllSettled);
  };
  hooks.extend = [weak](absl::Duration duration) -> absl::StatusOr<absl::Time> {
    if (auto self = weak.lock()) return self->Extend(duration);
    return MakeError(Reason::kLeaseExpired, "the lease has ended");
  };
  created->lease_->set_hooks(std::move(hooks));
  return created;
}

GetLease::GetLease(const MessagingContext* context)
    : context_(context),
      lease_(std::make_shared<Lease>(Leases::NewId(), context->engine)) {}

void GetLease::Issue(const QueueRef& queue,
                     absl::Span<const Delivery> deliveries) {
  MutexLock lock(&lease_->mu());
  lease_->Issue(queue, kGetKey, deliveries);
}

void GetLease::set_session(Sessions::Attachment session) {
  MutexLock lock(&mu_);
  session_ = std::move(session);
}

absl::Status GetLease::session_end() const {
  MutexLock lock(&mu_);
  return session_end_;
}

absl::StatusOr<absl::Time> GetLease::Begin(absl::Duration duration) {
  context_->leases->Add(lease_, Leases::Kind::kGet);
  const absl::Time when = context_->engine_clock->Now() + duration;
  Schedule(when);
  {
    MutexLock lock(&mu_);
    if (!forgotten_ || session_end_.ok()) return when;
  }
  // It ended before the engine had anything for it: that end knew nothing of
  // what has been issued since.
  context_->leases->Remove(lease_->id(), Leases::End::kRequeued);
  Release([](uint64_t) {});
  return session_end();
}

bool GetLease::Schedule(absl::Time when) {
  TimerQueue::TimerId superseded;
  bool over;
  // The timer owns the lease: it is what lives until somebody settles.
  const TimerQueue::TimerId timer = context_->engine_timers->Schedule(
      when, [self = shared_from_this()] { self->OnTimer(); });
  {
    MutexLock lock(&mu_);
    over = forgotten_;
    superseded = over ? timer : timer_;
    timer_ = timer;
    expire_time_ = when;
  }
  context_->engine_timers->Cancel(superseded);
  return !over;
}

absl::StatusOr<absl::Time> GetLease::Extend(absl::Duration duration) {
  const absl::Time when = context_->engine_clock->Now() + duration;
  if (Schedule(when)) return when;
  return MakeError(Reason::kLeaseExpired, "the lease has ended");
}

void GetLease::OnTimer() {
  {
    MutexLock lock(&mu_);
    // Extended just as this timer fell due.
    if (context_->engine_clock->Now() < expire_time_) return;
  }
  Abandon([](uint64_t) {});
}

bool GetLease::Forget(Leases::End end) {
  TimerQueue::TimerId timer;
  {
    MutexLock lock(&mu_);
    if (forgotten_) return false;
    forgotten_ = true;
    timer = timer_;
  }
  context_->engine_timers->Cancel(timer);
  context_->leases->Remove(lease_->id(), end);
  // A session that ends waits for its users: those are let go of last.
  if (end == Leases::End::kAllSettled) Detach();
  return true;
}

void GetLease::Detach() {
  Sessions::Attachment session;
  {
    MutexLock lock(&mu_);
    session = session_;
  }
  context_->sessions->Detach(session);
}

void GetLease::Abandon(Released done) {
  if (!Forget(Leases::End::kRequeued)) {
    std::move(done)(0);
    return;
  }
  Release(std::move(done));
}

void GetLease::Release(Released done) {
  ReleaseParams params;
  params.sink = shared_from_this();
  params.queues = lease_->queues();
  context_->engine->Release(std::move(params),
                            [self = shared_from_this(), done = std::move(done)](
                                absl::StatusOr<uint64_t> requeued) mutable {
                              self->Detach();
                              std::move(done)(requeued.value_or(0));
                            });
}

void GetLease::AckAll() {
  TagSelection selection;
  selection.all = true;
  lease_->Settle(SettleAction::kAck, selection, [](SettleOutcome) {});
}

uint32_t GetLease::Reserve(uint32_t, size_t, uint32_t) { return 1; }
void GetLease::Deliver(uint32_t, std::vector<Delivery>) {}
void GetLease::ConsumerCancelled(uint32_t, CancelReason, absl::Status,
                                 uint64_t) {}
void GetLease::CreditDrained(uint32_t, uint32_t) {}

void GetLease::DeliveriesLost(const QueueRef& queue,
                              absl::Span<const uint64_t> delivery_ids,
                              LostReason) {
  lease_->MarkLost(queue, delivery_ids);
}

void GetLease::EndForSession(absl::Status status, Released done) {
  {
    MutexLock lock(&mu_);
    session_end_ = std::move(status);
  }
  Abandon(std::move(done));
  if (on_session_end_) on_session_end_();
}

}  // namespace kelpmq::service
