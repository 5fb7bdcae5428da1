// How sessions end: the last part of sessions.h.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/session_state.h"
#include "service/rpc/sessions.h"

namespace kelpmq::service {
namespace {

// Asks all users to release what they hold; `done` gets the sum.
void ReleaseAll(const std::vector<std::shared_ptr<SessionUser>>& users,
                const absl::Status& status, SessionUser::Released done) {
  struct Gather {
    explicit Gather(SessionUser::Released done) : done(std::move(done)) {}
    // One more than users, so that it cannot complete while they are asked.
    std::atomic<size_t> left{1};
    std::atomic<uint64_t> sum{0};
    SessionUser::Released done;
  };
  auto gather = std::make_shared<Gather>(std::move(done));
  gather->left += users.size();
  auto released = [gather](uint64_t requeued_count) {
    gather->sum += requeued_count;
    if (--gather->left == 0) gather->done(gather->sum);
  };
  for (const auto& user : users) user->EndForSession(status, released);
  released(0);
}

}  // namespace

absl::Status SessionEndedStatus(absl::string_view reason) {
  return MakeError(Reason::kSessionEnded,
                   reason.empty()
                       ? "the session has ended"
                       : absl::StrCat("the session has ended: ", reason));
}

void Sessions::Close(absl::string_view session_id, EndDone done) {
  SessionRef session;
  absl::StatusOr<Ended> at_once = NotFound(session_id);
  {
    MutexLock lock(&mu_);
    if (auto it = by_id_.find(session_id); it != by_id_.end()) {
      session = it->second;
    } else {
      ForgetOld();
      if (auto past = ended_.find(session_id); past != ended_.end()) {
        at_once = past->second;
      }
    }
  }
  if (session == nullptr) {
    std::move(done)(std::move(at_once));
    return;
  }
  End(session, SessionEndedStatus(""),
      [done = std::move(done)](const Ended& ended) mutable { done(ended); });
}

void Sessions::EndByRef(absl::string_view session_ref, absl::string_view reason,
                        absl::AnyInvocable<void(bool ended)> done) {
  SessionRef session;
  {
    MutexLock lock(&mu_);
    if (auto it = by_ref_.find(session_ref); it != by_ref_.end()) {
      session = it->second;
    }
  }
  if (session == nullptr) {
    done(false);
    return;
  }
  End(session, SessionEndedStatus(reason),
      [done = std::move(done)](const Ended&) mutable { done(true); });
}

void Sessions::EndVhost(absl::string_view vhost, const absl::Status& status,
                        absl::AnyInvocable<void()> done) {
  EndRefused(
      [vhost, &status](const SessionInfo& session) {
        return session.vhost == vhost ? status : absl::OkStatus();
      },
      std::move(done));
}

void Sessions::EndRefused(
    const std::function<absl::Status(const SessionInfo&)>& check,
    absl::AnyInvocable<void()> done) {
  std::vector<SessionRef> all;
  {
    MutexLock lock(&mu_);
    for (const auto& [id, session] : by_id_) all.push_back(session);
  }
  std::vector<std::pair<SessionRef, absl::Status>> refused;
  for (SessionRef& session : all) {
    absl::Status status = check(session->identity.info);
    if (!status.ok()) {
      refused.emplace_back(std::move(session), std::move(status));
    }
  }
  struct Gather {
    explicit Gather(absl::AnyInvocable<void()> done) : done(std::move(done)) {}
    std::atomic<size_t> left{1};
    absl::AnyInvocable<void()> done;
  };
  auto gather = std::make_shared<Gather>(std::move(done));
  gather->left += refused.size();
  auto one_ended = [gather] {
    if (--gather->left == 0) gather->done();
  };
  for (const auto& [session, status] : refused) {
    End(session, status, [one_ended](const Ended&) { one_ended(); });
  }
  one_ended();
}

void Sessions::End(const SessionRef& session, const absl::Status& status,
                   absl::AnyInvocable<void(const Ended&)> done) {
  std::optional<Ended> over;
  TimerQueue::TimerId timer = TimerQueue::kNoTimer;
  std::vector<std::shared_ptr<SessionUser>> streams;
  std::vector<std::shared_ptr<SessionUser>> leases;
  {
    MutexLock lock(&mu_);
    over = session->ended;
    if (!over) {
      session->end_waiters.push_back(std::move(done));
      if (session->ending) return;
      session->ending = true;
      timer = session->timer;
      for (const auto& [number, user] : session->users) {
        auto alive = user.user.lock();
        if (alive == nullptr) continue;
        (user.use == SessionUse::kGetLease ? leases : streams)
            .push_back(std::move(alive));
      }
    }
  }
  if (over) {
    done(*over);
    return;
  }
  timers_->Cancel(timer);
  ReleaseAll(streams, status,
             [self = shared_from_this(), session, status,
              leases = std::move(leases)](uint64_t from_streams) {
               ReleaseAll(leases, status,
                          [self, session, from_streams](uint64_t from_leases) {
                            self->EndOwner(session, from_streams + from_leases);
                          });
             });
}

void Sessions::EndOwner(const SessionRef& session, uint64_t requeued_count) {
  auto go_on = [self = shared_from_this(), session, requeued_count] {
    const SessionInfo& info = session->identity.info;
    self->engine_->EndOwner(
        info.vhost, info.owner,
        [self, session, requeued_count](absl::StatusOr<EndOwnerResult> result) {
          Ended ended;
          ended.requeued_count = requeued_count;
          // The one error is that the vhost is gone, and its queues with it.
          if (result.ok()) {
            ended.deleted_queues = std::move(result->deleted_queues);
          }
          self->FinishEnd(session, std::move(ended));
        });
  };
  {
    MutexLock lock(&mu_);
    if (session->CountOf(SessionUse::kRequest) > 0) {
      session->when_no_request = std::move(go_on);
      return;
    }
  }
  go_on();
}

void Sessions::FinishEnd(const SessionRef& session, Ended ended) {
  std::vector<absl::AnyInvocable<void(const Ended&)>> waiters;
  {
    MutexLock lock(&mu_);
    const Session::Identity& identity = session->identity;
    by_id_.erase(identity.id);
    by_ref_.erase(identity.ref);
    by_owner_.erase(identity.info.owner);
    auto count = count_by_vhost_.find(identity.info.vhost);
    if (--count->second == 0) count_by_vhost_.erase(count);
    ForgetOld();
    ended_.emplace(identity.id, ended);
    ended_order_.emplace_back(clock_->Now(), identity.id);
    session->ended = ended;
    waiters.swap(session->end_waiters);
  }
  log_->Info("session closed",
             {{"session", session->identity.ref},
              {"requeued", ended.requeued_count},
              {"deleted_queues", ended.deleted_queues.size()}});
  for (auto& waiter : waiters) waiter(ended);
}

void Sessions::ForgetOld() {
  const absl::Time horizon = clock_->Now() - kRememberEnded;
  while (!ended_order_.empty() && (ended_order_.size() >= kMaxEnded ||
                                   ended_order_.front().first < horizon)) {
    ended_.erase(ended_order_.front().second);
    ended_order_.pop_front();
  }
}

}  // namespace kelpmq::service
