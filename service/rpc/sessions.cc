#include "service/rpc/sessions.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/aftermath.h"
#include "service/base/error.h"
#include "service/base/fnv.h"
#include "service/base/random_name.h"
#include "service/rpc/session_state.h"

namespace kelpmq::service {
namespace {

// "s", eight hexadecimal digits of the node, "-", then what MakeServerName
// adds: 22 characters with 128 random bits.
constexpr char kIdStart = 's';
constexpr size_t kIdPrefixBytes = 10;
constexpr size_t kIdBytes = kIdPrefixBytes + 22;

std::string IdPrefix(absl::string_view node_id) {
  return absl::StrCat(
      std::string(1, kIdStart),
      absl::Hex(static_cast<uint32_t>(Fnv1a(node_id)), absl::kZeroPad8), "-");
}

}  // namespace

std::shared_ptr<Sessions> Sessions::Create(Options options, Engine* engine,
                                           const Clock* clock,
                                           TimerQueue* timers) {
  std::shared_ptr<Sessions> sessions(
      new Sessions(std::move(options), engine, clock, timers));
  engine->SetOwnerListener(sessions);
  return sessions;
}

Sessions::Sessions(Options options, Engine* engine, const Clock* clock,
                   TimerQueue* timers)
    : id_prefix_(IdPrefix(options.node_id)),
      max_sessions_(options.max_sessions),
      log_(options.log),
      engine_(engine),
      clock_(clock),
      timers_(timers) {}

Sessions::~Sessions() = default;

// ---- Opening and using ----

absl::StatusOr<Sessions::Opened> Sessions::Open(OpenParams params) {
  const absl::StatusOr<VhostInfo> vhost_info = engine_->FindVhost(params.vhost);
  if (!vhost_info.ok()) return vhost_info.status();
  Session::Identity identity;
  identity.id = MakeServerName(id_prefix_);
  identity.ref = MakeServerName("session-");
  identity.info.vhost = std::move(params.vhost);
  identity.info.login = std::move(params.login);
  identity.info.client_name = std::move(params.client_name);
  identity.info.peer = std::move(params.peer);
  identity.ttl = params.ttl;
  identity.bound_to_watch = params.bound_to_watch;
  identity.open_time = clock_->Now();

  SessionRef session;
  Opened opened;
  {
    MutexLock lock(&mu_);
    if (by_id_.size() >= max_sessions_) {
      return MakeError(
          Reason::kLimitExceeded,
          absl::StrCat("session limit (", max_sessions_, ") is reached"),
          {{"limit", "max_sessions"}});
    }
    const auto& limit = vhost_info->max_connections;
    if (limit.has_value() && count_by_vhost_[identity.info.vhost] >= *limit) {
      return MakeError(
          Reason::kLimitExceeded,
          absl::StrCat("connection limit (", *limit, ") of vhost '",
                       identity.info.vhost, "' is reached"),
          {{"limit", "max_connections"}, {"vhost", identity.info.vhost}});
    }
    ++count_by_vhost_[identity.info.vhost];
    identity.info.owner = ++last_owner_;
    session = std::make_shared<Session>(std::move(identity));
    by_id_.emplace(session->identity.id, session);
    by_ref_.emplace(session->identity.ref, session);
    by_owner_.emplace(session->identity.info.owner, session);
    Renew(session.get());
    opened = {session->identity.id, session->identity.ttl,
              session->expire_time};
  }
  opened_count_.fetch_add(1, std::memory_order_relaxed);
  const Session::Identity& made =
      session->identity;  // without its id: a secret
  log_->Info("session opened", {{"session", made.ref},
                                {"vhost", made.info.vhost},
                                {"client", made.info.client_name},
                                {"peer", made.info.peer}});
  ScheduleExpiry(session);
  // The vhost may have been deleted meanwhile, together with the sessions that
  // it had then.
  absl::Status vhost = engine_->CheckVhost(session->identity.info.vhost);
  if (!vhost.ok()) {
    End(session, vhost, [](const Ended&) {});
    return vhost;
  }
  return opened;
}

absl::Status Sessions::CheckUser(absl::string_view session_id,
                                 const LoginRef& login) const {
  SessionRef session;
  {
    MutexLock lock(&mu_);
    auto it = by_id_.find(session_id);
    if (it == by_id_.end()) return absl::OkStatus();
    session = it->second;
  }
  if (UserOf(session->identity.info.login) == UserOf(login)) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kAccessRefused,
      absl::StrCat("the session is not one of user '", UserOf(login), "'"));
}

absl::StatusOr<Sessions::SessionRef> Sessions::FindLive(
    absl::string_view session_id) {
  auto it = by_id_.find(session_id);
  if (it == by_id_.end() || it->second->ending) return NotFound(session_id);
  return it->second;
}

absl::Status Sessions::NotFound(absl::string_view session_id) const {
  // The id is a secret: it stays out of the text.
  if (session_id.size() == kIdBytes && session_id[0] == kIdStart &&
      session_id[kIdPrefixBytes - 1] == '-' &&
      !absl::StartsWith(session_id, id_prefix_)) {
    return MakeError(Reason::kWrongNode,
                     "the session was opened on another node");
  }
  return MakeError(Reason::kSessionNotFound,
                   "no such session: it was never opened here, or it has "
                   "ended");
}

bool Sessions::Renew(Session* session) {
  session->expire_time = clock_->Now() + session->identity.ttl;
  if (session->timer_set) return false;
  session->timer_set = true;
  return true;
}

void Sessions::ScheduleExpiry(const SessionRef& session) {
  absl::Time when;
  {
    MutexLock lock(&mu_);
    when = session->expire_time;
  }
  const TimerQueue::TimerId timer =
      timers_->Schedule(when, [weak_this = weak_from_this(),
                               weak_session = std::weak_ptr<Session>(session)] {
        auto self = weak_this.lock();
        auto session = weak_session.lock();
        if (self != nullptr && session != nullptr) self->OnExpiryTimer(session);
      });
  bool ending;
  {
    MutexLock lock(&mu_);
    session->timer = timer;
    ending = session->ending;
  }
  if (ending) timers_->Cancel(timer);
}

void Sessions::OnExpiryTimer(const SessionRef& session) {
  bool expired;
  {
    MutexLock lock(&mu_);
    session->timer_set = false;
    session->timer = TimerQueue::kNoTimer;
    // While something keeps it alive, its last Detach sets the next timer.
    if (session->ending || session->KeptAlive()) return;
    expired = session->expire_time <= clock_->Now();
    if (!expired) session->timer_set = true;
  }
  if (expired) {
    // Other threads may have to finish what they do for it first.
    End(session, SessionEndedStatus("its ttl is over"),
        [hold = Aftermath::HoldCurrent()](const Ended&) {});
  } else {
    ScheduleExpiry(session);
  }
}

absl::StatusOr<SessionInfo> Sessions::Use(absl::string_view session_id) {
  SessionRef session;
  bool schedule;
  {
    MutexLock lock(&mu_);
    auto found = FindLive(session_id);
    if (!found.ok()) return std::move(found).status();
    session = *std::move(found);
    schedule = Renew(session.get());
  }
  if (schedule) ScheduleExpiry(session);
  return session->identity.info;
}

absl::StatusOr<absl::Time> Sessions::KeepAlive(absl::string_view session_id) {
  SessionRef session;
  bool schedule;
  absl::Time expire_time;
  {
    MutexLock lock(&mu_);
    auto found = FindLive(session_id);
    if (!found.ok()) return std::move(found).status();
    session = *std::move(found);
    schedule = Renew(session.get());
    expire_time = session->expire_time;
  }
  if (schedule) ScheduleExpiry(session);
  return expire_time;
}

// ---- Users ----

const SessionInfo& Sessions::Attachment::session() const {
  return session_->identity.info;
}

absl::StatusOr<Sessions::Attachment> Sessions::Attach(
    absl::string_view session_id, std::weak_ptr<SessionUser> user,
    SessionUse use) {
  Attachment attachment;
  bool schedule;
  {
    MutexLock lock(&mu_);
    auto found = FindLive(session_id);
    if (!found.ok()) return std::move(found).status();
    attachment.session_ = *std::move(found);
    attachment.number_ = attachment.session_->Add(use, std::move(user));
    schedule = Renew(attachment.session_.get());
  }
  if (schedule) ScheduleExpiry(attachment.session_);
  return attachment;
}

void Sessions::Detach(const Attachment& attachment) {
  if (!attachment) return;
  const SessionRef& session = attachment.session_;
  bool schedule = false;
  bool end = false;
  Closure go_on;
  {
    MutexLock lock(&mu_);
    const auto use = session->Remove(attachment.number_);
    if (!use) return;
    if (session->ending) {
      if (session->CountOf(SessionUse::kRequest) == 0) {
        go_on = std::move(session->when_no_request);
        session->when_no_request = nullptr;
      }
    } else if (use == SessionUse::kWatch && session->identity.bound_to_watch &&
               session->CountOf(SessionUse::kWatch) == 0) {
      end = true;
    } else if ((use == SessionUse::kWatch || use == SessionUse::kStream) &&
               !session->KeptAlive()) {
      schedule = Renew(session.get());
    }
  }
  if (go_on) go_on();
  if (schedule) ScheduleExpiry(session);
  if (end) {
    End(session, SessionEndedStatus("its last watch is gone"),
        [](const Ended&) {});
  }
}

OwnerId Sessions::NewOwner() {
  MutexLock lock(&mu_);
  return ++last_owner_;
}

std::string Sessions::ClientNameOf(OwnerId owner) const {
  MutexLock lock(&mu_);
  auto it = by_owner_.find(owner);
  return it == by_owner_.end() ? "" : it->second->identity.info.client_name;
}

void Sessions::ExclusiveQueueClosed(OwnerId owner, const std::string& queue,
                                    CancelReason reason) {
  std::vector<std::shared_ptr<SessionUser>> watches;
  {
    MutexLock lock(&mu_);
    auto it = by_owner_.find(owner);
    if (it == by_owner_.end() || it->second->ending) return;
    for (const auto& [number, user] : it->second->users) {
      if (user.use != SessionUse::kWatch) continue;
      if (auto watch = user.user.lock()) watches.push_back(std::move(watch));
    }
  }
  for (const auto& watch : watches) watch->ExclusiveQueueClosed(queue, reason);
}

// ---- Listing ----

std::vector<Sessions::Listed> Sessions::List(absl::string_view vhost,
                                             absl::string_view after,
                                             size_t limit) const {
  std::vector<Listed> page;
  // Asked without the lock, and let go of without it: a user's end may be ours
  // to run.
  std::vector<std::vector<std::shared_ptr<SessionUser>>> users;
  {
    MutexLock lock(&mu_);
    for (auto it = by_ref_.upper_bound(after);
         it != by_ref_.end() && page.size() < limit; ++it) {
      const Session& session = *it->second;
      const SessionInfo& info = session.identity.info;
      if (session.ending || (!vhost.empty() && info.vhost != vhost)) continue;
      Listed listed;
      listed.session_ref = it->first;
      listed.session = info;
      listed.open_time = session.identity.open_time;
      listed.expire_time =
          session.KeptAlive() ? absl::InfiniteFuture() : session.expire_time;
      listed.stream_count = static_cast<uint32_t>(session.StreamCount());
      page.push_back(std::move(listed));
      users.push_back(session.LiveUsers());
    }
  }
  for (size_t i = 0; i < page.size(); ++i) {
    for (const auto& user : users[i]) {
      page[i].unacked_count += user->unacked_count();
    }
  }
  return page;
}

size_t Sessions::count() const {
  MutexLock lock(&mu_);
  return by_id_.size();
}

}  // namespace kelpmq::service
