// How a stream ends, and what may end it: the last part of delivery_stream.h.

#include <algorithm>
#include <utility>
#include <vector>

#include "service/base/error.h"
#include "service/rpc/caller.h"
#include "service/rpc/delivery_stream.h"
#include "service/rpc/stream_errors.h"

namespace kelpmq::service {

void DeliveryStream::End(absl::Status status) {
  {
    MutexLock lock(&lease_->mu());
    if (state_ != State::kOpen) return;
    state_ = State::kEnding;
    end_ = std::move(status);
  }
  ReleaseIfQuiet();
}

void DeliveryStream::ReleaseIfQuiet() {
  ReleaseParams params;
  TimerQueue::TimerId timer;
  {
    MutexLock lock(&lease_->mu());
    if (state_ != State::kEnding || !barrier_.empty()) return;
    state_ = State::kReleasing;
    timer = heartbeat_timer_;
    for (const auto& [key, consumer] : consumers_) {
      params.queues.push_back(consumer.ref.queue);
    }
  }
  context_->timers->Cancel(timer);
  for (QueueRef& queue : lease_->queues()) {
    params.queues.push_back(std::move(queue));
  }
  std::sort(params.queues.begin(), params.queues.end());
  params.queues.erase(std::unique(params.queues.begin(), params.queues.end()),
                      params.queues.end());
  params.sink = shared_from_this();
  context_->engine->Release(
      std::move(params),
      [self = shared_from_this()](absl::StatusOr<uint64_t> requeued) {
        self->OnReleased(requeued.value_or(0));
      });
}

void DeliveryStream::OnReleased(uint64_t requeued_count) {
  bool registered;
  {
    MutexLock lock(&lease_->mu());
    registered = registered_;
    outbox_.DropDeliveries();
    consumers_.clear();
    key_of_.clear();
    requeued_count_ = requeued_count;
  }
  if (registered) {
    // A settle from elsewhere may have taken, in vain, what went back.
    const bool all_settled = requeued_count == 0 && lease_->out_count() == 0;
    context_->leases->Remove(lease_->id(), all_settled
                                               ? Leases::End::kAllSettled
                                               : Leases::End::kRequeued);
    context_->streams->Remove(this);
  }
  std::vector<Released> on_released;
  {
    MutexLock lock(&lease_->mu());
    state_ = State::kReleased;
    on_released = std::move(on_released_);
  }
  // An ending session waits for its users, so it is let go of last.
  context_->sessions->Detach(session_);
  for (Released& done : on_released) std::move(done)(requeued_count);
  Pump();
}

void DeliveryStream::OnDone() {
  {
    MutexLock lock(&lease_->mu());
    outbox_.Clear();
  }
  End(absl::CancelledError("the client has gone"));
}

void DeliveryStream::EndForSession(absl::Status status, Released done) {
  uint64_t requeued_count;
  bool released;
  {
    MutexLock lock(&lease_->mu());
    released = state_ == State::kReleased || state_ == State::kFinished;
    requeued_count = requeued_count_;
    if (!released) on_released_.push_back(std::move(done));
  }
  if (released) {
    std::move(done)(requeued_count);
    return;
  }
  End(std::move(status));
}

void DeliveryStream::Drain(absl::Time deadline) {
  {
    MutexLock lock(&lease_->mu());
    if (draining_ || state_ != State::kOpen) return;
    draining_ = true;
    outbox_.AddReply(framing_->Draining(DrainingNotice(deadline)));
  }
  Pump();
}

void DeliveryStream::EndForDrain() { End(ServerDrainingError()); }

void DeliveryStream::RecheckAccess() {
  absl::Status allowed = CheckStreamAccess(*context_->engine, login_, vhost_,
                                           context_->clock->Now());
  if (!allowed.ok()) return End(std::move(allowed));
  std::vector<std::pair<ConsumerKey, ConsumerRef>> consumers;
  {
    MutexLock lock(&lease_->mu());
    for (const auto& [key, consumer] : consumers_) {
      if (consumer.ref.queue != nullptr) {
        consumers.emplace_back(key, consumer.ref);
      }
    }
  }
  CancelRevoked(consumers);
}

void DeliveryStream::EndVhost(absl::string_view vhost) {
  if (vhost == vhost_) End(VhostGoneError(vhost));
}

}  // namespace kelpmq::service
