#include "service/rpc/get_call.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/caller.h"
#include "service/rpc/codec.h"
#include "service/rpc/convert.h"
#include "service/rpc/delivery_wire.h"
#include "service/rpc/stream_requests.h"

namespace kelpmq::service {
namespace {

constexpr absl::Duration kMaxWait = absl::Seconds(60);
// The answer leaves this long before the call's deadline.
constexpr absl::Duration kDeadlineMargin = absl::Milliseconds(100);

// Unless the request says otherwise: deliveries of a reply, and how large the
// first may be all the same (what every gRPC client takes by default).
constexpr size_t kDefaultMaxBytes = 3 * 1024 * 1024;
constexpr size_t kDefaultReceiveLimit = 4 * 1024 * 1024;

uint64_t NextWaitId() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

void GetCall::OnStart(CallRef call) {
  call_ = std::move(call);
  call_->Read();
}

absl::StatusOr<GetCall::Wanted> GetCall::Read(const v1::GetRequest& request) {
  Wanted wanted;
  absl::Status valid = CheckName("vhost", request.vhost());
  if (valid.ok()) valid = CheckName("queue", request.queue());
  if (!valid.ok()) return valid;
  wanted.auto_ack = request.auto_ack();
  if (wanted.auto_ack && request.has_lease_duration()) {
    return MakeError(Reason::kConflictingArgument,
                     "lease_duration must be unset with auto_ack");
  }
  absl::StatusOr<absl::Duration> lease_duration =
      ReadLeaseDuration(request.lease_duration());
  if (!lease_duration.ok()) return lease_duration.status();
  wanted.lease_duration = *lease_duration;
  absl::StatusOr<absl::Duration> wait = ToDuration(
      "wait", request.wait(),
      {absl::ZeroDuration(), absl::ZeroDuration(), absl::InfiniteDuration()});
  if (!wait.ok()) return wait.status();
  wanted.wait = std::min(*wait, kMaxWait);
  if (!wanted.auto_ack &&
      context_->leases->live_get_count() >= context_->limits.max_get_leases) {
    return MakeError(
        Reason::kLimitExceeded,
        absl::StrCat("the server has ", context_->limits.max_get_leases,
                     " Get leases: settle some"),
        {{"limit", absl::StrCat(context_->limits.max_get_leases)}});
  }

  lease_ = GetLease::Create(context_);
  lease_->set_user(UserOf(call_->login()));
  GetParams& params = wanted.params;
  params.vhost = context_->VhostOrDefault(request.vhost());
  if (!request.session_id().empty()) {
    lease_->set_on_session_end([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->EndWait();
    });
    absl::Status own =
        context_->sessions->CheckUser(request.session_id(), call_->login());
    if (!own.ok()) return own;
    absl::StatusOr<Sessions::Attachment> session = context_->sessions->Attach(
        request.session_id(), lease_, SessionUse::kGetLease);
    if (!session.ok()) return session.status();
    lease_->set_session(*session);
    const SessionInfo& info = session->session();
    if (!request.vhost().empty() && request.vhost() != info.vhost) {
      return MakeError(Reason::kVhostMismatch,
                       absl::StrCat("the session is in vhost '", info.vhost,
                                    "', not '", request.vhost(), "'"),
                       {{"vhost", info.vhost}});
    }
    params.vhost = info.vhost;
    params.owner = info.owner;
  }
  params.queue = request.queue();
  absl::Status allowed = CheckAccess(params.vhost, params.queue);
  if (!allowed.ok()) return allowed;
  params.holder = lease_;
  params.max_messages =
      std::min(std::max(request.max_messages(), 1u), kMaxGetMessages);
  const size_t max_bytes =
      request.max_bytes() == 0 ? kDefaultMaxBytes : request.max_bytes();
  params.max_bytes = max_bytes - std::min(max_bytes, kResponseOverheadBytes);
  params.max_first_bytes =
      std::max(max_bytes, kDefaultReceiveLimit) - kResponseOverheadBytes;
  return wanted;
}

absl::Status GetCall::CheckAccess(const std::string& vhost,
                                  const std::string& queue) const {
  absl::Status allowed = CheckStreamAccess(*context_->engine, call_->login(),
                                           vhost, context_->clock->Now());
  if (!allowed.ok()) return allowed;
  return VhostAccess(call_->login(), vhost)
      .Check(VhostAccess::Permission::kRead, VhostAccess::Resource::kQueue,
             queue);
}

void GetCall::OnReadDone(bool ok, grpc::ByteBuffer message) {
  if (!ok) {
    call_->Finish(MakeError(Reason::kMalformedRequest, "no request came"));
    return;
  }
  v1::GetRequest request;
  absl::Status status = Parse(message, &request);
  absl::StatusOr<Wanted> wanted;
  if (status.ok()) {
    wanted = Read(request);
    status = wanted.status();
  }
  if (!status.ok()) {
    if (lease_ != nullptr) lease_->Abandon([](uint64_t) {});
    call_->Finish(std::move(status));
    return;
  }
  if (wanted->wait > absl::ZeroDuration()) {
    wait_ = {wanted->params.vhost, wanted->params.queue, NextWaitId()};
    wanted->params.wait_id = wait_.wait_id;
    waits_ = true;
  }
  context_->engine->Get(
      std::move(wanted->params),
      [self = shared_from_this(), auto_ack = wanted->auto_ack,
       lease_duration =
           wanted->lease_duration](absl::StatusOr<GetResult> result) {
        self->OnResult(auto_ack, lease_duration, std::move(result));
      });
  if (waits_ && !answered_) StartWait(wanted->wait);
}

void GetCall::StartWait(absl::Duration wait) {
  const absl::Time end = std::min(context_->clock->Now() + wait,
                                  call_->deadline() - kDeadlineMargin);
  wait_timer_ = context_->timers->Schedule(end, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->EndWait();
  });
  context_->streams->Add(shared_from_this());
  RecheckAccess();
  // The session may have ended before there was a wait to end.
  if (!lease_->session_end().ok()) EndWait();
}

void GetCall::EndWait() {
  if (waits_ && !answered_) context_->engine->EndGetWait(wait_);
}

void GetCall::OnResult(bool auto_ack, absl::Duration lease_duration,
                       absl::StatusOr<GetResult> result) {
  if (result.ok() && result->required_bytes == 0) {
    CountGot(result->deliveries, auto_ack, context_->traffic);
  }
  if (!result.ok() || result->deliveries.empty()) {
    answered_ = true;
    const absl::Status session_end = lease_->session_end();
    // Only a wait can have outlived the permission that it began with.
    absl::Status access;
    if (waits_) access = CheckAccess(wait_.vhost, wait_.queue);
    lease_->Abandon([](uint64_t) {});
    if (!session_end.ok()) {
      call_->Finish(session_end);
    } else if (!access.ok()) {
      call_->Finish(std::move(access));
    } else if (!result.ok()) {
      call_->Finish(result.status());
    } else if (result->required_bytes > 0) {
      call_->Finish(ResponseTooSmallError(result->required_bytes));
    } else {
      v1::GetResponse empty;
      empty.set_message_count(result->message_count);
      call_->WriteAndFinish(Serialize(empty));
    }
    return;
  }
  lease_->Issue(result->queue, result->deliveries);
  v1::GetResponse rest;
  rest.set_message_count(result->message_count);
  if (!auto_ack) {
    const absl::StatusOr<absl::Time> expire_time =
        lease_->Begin(lease_duration);
    if (!expire_time.ok()) {
      answered_ = true;
      call_->Finish(expire_time.status());
      return;
    }
    rest.set_lease_id(lease_->id());
    *rest.mutable_lease_expire_time() = FromTime(*expire_time);
  }
  // OnDone sets `gone_` before it looks at `answered_`, so that one of the two
  // sees that nobody will settle.
  answered_ = true;
  if (gone_ || call_->cancelled()) {
    lease_->Abandon([](uint64_t) {});
    call_->Finish(absl::CancelledError("the client has gone"));
    return;
  }
  if (auto_ack) lease_->AckAll();
  std::vector<TaggedDelivery> tagged;
  tagged.reserve(result->deliveries.size());
  uint64_t tag = 0;
  for (Delivery& delivery : result->deliveries) {
    tagged.push_back({auto_ack ? 0 : ++tag, 0, 0, std::move(delivery)});
  }
  call_->WriteAndFinish(
      EncodeWithDeliveries(v1::GetResponse::kDeliveriesFieldNumber, tagged,
                           rest.SerializeAsString()));
}

void GetCall::OnWriteDone(bool /*ok*/) {}

void GetCall::OnDone(bool cancelled) {
  context_->streams->Remove(this);
  context_->timers->Cancel(wait_timer_);
  if (!cancelled) return;
  gone_ = true;
  EndWait();
  // What went out to nobody goes back. If the engine has yet to answer, the
  // answer finds `gone_` set.
  if (answered_ && lease_ != nullptr) lease_->Abandon([](uint64_t) {});
}

void GetCall::RecheckAccess() {
  if (!CheckAccess(wait_.vhost, wait_.queue).ok()) EndWait();
}

void GetCall::Drain(absl::Time /*deadline*/) { EndWait(); }
void GetCall::EndForDrain() { EndWait(); }
void GetCall::EndVhost(absl::string_view /*vhost*/) {}  // the queue's end does

}  // namespace kelpmq::service
