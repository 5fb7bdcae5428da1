#include "service/rpc/watch_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/caller.h"
#include "service/rpc/codec.h"
#include "service/rpc/convert.h"
#include "service/rpc/stream_errors.h"

namespace kelpmq::service {

void WatchStream::OnStart(CallRef call) {
  call_ = std::move(call);
  call_->Read();
}

void WatchStream::OnReadDone(bool ok, grpc::ByteBuffer message) {
  if (!ok) {
    call_->Finish(MakeError(Reason::kMalformedRequest,
                            "the call carried no request message"));
    return;
  }
  if (absl::Status status = Begin(message); !status.ok()) {
    call_->Finish(std::move(status));
    return;
  }
  SendHeartbeat();
  streams_->Add(shared_from_this(), StreamRegistry::DuringDrain::kDoNotWaitFor);
  AlarmChanged();
  RecheckAccess();  // what changed before the registry knew the stream
  ScheduleHeartbeat(clock_->Now() + heartbeat_interval_);
}

absl::Status WatchStream::Begin(const grpc::ByteBuffer& message) {
  v1::WatchSessionRequest request;
  if (absl::Status status = Parse(message, &request); !status.ok()) {
    return status;
  }
  auto interval = ToDuration("heartbeat_interval", request.heartbeat_interval(),
                             {kDefaultHeartbeat, kMinHeartbeat, kMaxHeartbeat});
  if (!interval.ok()) return std::move(interval).status();
  heartbeat_interval_ = *interval;
  absl::Status own = sessions_->CheckUser(request.session_id(), call_->login());
  if (!own.ok()) return own;
  auto attached = sessions_->Attach(request.session_id(), weak_from_this(),
                                    SessionUse::kWatch);
  if (!attached.ok()) return std::move(attached).status();
  attachment_ = *std::move(attached);
  return absl::OkStatus();
}

void WatchStream::Send(const v1::WatchSessionResponse& response) {
  grpc::ByteBuffer message = Serialize(response);
  Next next;
  {
    MutexLock lock(&mu_);
    next = Take(&message);
  }
  Do(next, std::move(message));
}

WatchStream::Next WatchStream::Take(grpc::ByteBuffer* message) {
  if (over_) return Next::kNothing;
  last_sent_ = clock_->Now();
  if (outbox_.size() >= kMaxWaiting) return Next::kGiveUp;
  if (writing_) {
    outbox_.push_back(std::move(*message));
    return Next::kNothing;
  }
  writing_ = true;
  return Next::kWrite;
}

void WatchStream::Do(Next next, grpc::ByteBuffer message) {
  switch (next) {
    case Next::kNothing:
      return;
    case Next::kWrite:
      call_->Write(std::move(message));
      return;
    case Next::kGiveUp:
      call_->Finish(MakeError(
          Reason::kLimitExceeded,
          absl::StrCat("the client leaves ", kMaxWaiting, " notices unread"),
          {{"limit", absl::StrCat(kMaxWaiting)}}));
      return;
  }
}

void WatchStream::OnWriteDone(bool ok) {
  grpc::ByteBuffer next;
  {
    MutexLock lock(&mu_);
    if (!ok || over_ || outbox_.empty()) {
      writing_ = false;
      return;
    }
    next = std::move(outbox_.front());
    outbox_.pop_front();
  }
  call_->Write(std::move(next));
}

void WatchStream::OnDone(bool /*cancelled*/) {
  TimerQueue::TimerId timer;
  {
    MutexLock lock(&mu_);
    over_ = true;
    timer = timer_;
  }
  timers_->Cancel(timer);
  streams_->Remove(this);
  sessions_->Detach(attachment_);
}

void WatchStream::SendHeartbeat() {
  v1::WatchSessionResponse response;
  response.mutable_heartbeat();
  Send(response);
}

void WatchStream::ScheduleHeartbeat(absl::Time when) {
  const TimerQueue::TimerId timer =
      timers_->Schedule(when, [weak_this = weak_from_this()] {
        if (auto self = weak_this.lock()) self->OnHeartbeatTimer();
      });
  bool over;
  {
    MutexLock lock(&mu_);
    timer_ = timer;
    over = over_;
  }
  if (over) timers_->Cancel(timer);
}

void WatchStream::OnHeartbeatTimer() {
  const absl::Time now = clock_->Now();
  absl::Time due;
  bool reads_on;
  {
    MutexLock lock(&mu_);
    if (over_) return;
    due = last_sent_ + heartbeat_interval_;
    // A client that does not read needs no more of them.
    reads_on = !writing_;
  }
  if (due <= now) {
    if (reads_on) SendHeartbeat();
    due = now + heartbeat_interval_;
  }
  ScheduleHeartbeat(due);
}

void WatchStream::EndForSession(absl::Status status, Released done) {
  call_->Finish(std::move(status));
  done(0);
}

void WatchStream::ExclusiveQueueClosed(const std::string& queue,
                                       CancelReason reason) {
  v1::WatchSessionResponse response;
  response.mutable_queue_deleted()->set_queue(queue);
  response.mutable_queue_deleted()->set_reason(
      static_cast<v1::CancelReason>(reason));
  Send(response);
}

void WatchStream::Drain(absl::Time deadline) {
  v1::WatchSessionResponse response;
  *response.mutable_draining() = DrainingNotice(deadline);
  Send(response);
}

void WatchStream::AlarmChanged() {
  grpc::ByteBuffer message;
  Next next;
  {
    // Under one lock, so that notices leave in the order of what they tell.
    MutexLock lock(&mu_);
    const bool blocked = memory_->on();
    if (blocked == told_blocked_) return;
    told_blocked_ = blocked;
    v1::WatchSessionResponse response;
    *response.mutable_flow() = MemoryNotice(blocked);
    message = Serialize(response);
    next = Take(&message);
  }
  Do(next, std::move(message));
}

void WatchStream::EndForDrain() { call_->Finish(ServerDrainingError()); }

void WatchStream::RecheckAccess() {
  absl::Status access = CheckStreamAccess(
      *engine_, call_->login(), attachment_.session().vhost, clock_->Now());
  if (!access.ok()) call_->Finish(std::move(access));
}

void WatchStream::EndVhost(absl::string_view vhost) {
  if (attachment_.session().vhost == vhost) {
    call_->Finish(VhostGoneError(vhost));
  }
}

}  // namespace kelpmq::service
