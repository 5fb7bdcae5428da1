#ifndef KELPMQ_SERVICE_RPC_SESSIONS_H_
#define KELPMQ_SERVICE_RPC_SESSIONS_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/auth/login.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/mutex.h"
#include "service/base/timer_queue.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// What ends with a session: a stream or a Get lease that names it.
// Thread-safety: implementations are thread-safe; no call may block.
class SessionUser {
 public:
  using Released = absl::AnyInvocable<void(uint64_t requeued_count)>;

  virtual ~SessionUser() = default;
  // The session ends: release everything that is held, then run `done` with
  // the number of deliveries requeued. A stream finishes with `status` (ABORTED
  // SESSION_ENDED, or NOT_FOUND VHOST_NOT_FOUND). Called once at the most; it
  // may cross the user's own end and a Detach: `done` is to be run all the
  // same.
  virtual void EndForSession(absl::Status status, Released done) = 0;
  // Deliveries that are unsettled now.
  virtual uint64_t unacked_count() const { return 0; }
  // An exclusive queue of the session, which lives on, is gone. Only a watch is
  // told.
  virtual void ExclusiveQueueClosed(const std::string& /*queue*/,
                                    CancelReason /*reason*/) {}
};

// What a session is to those who act in its name.
struct SessionInfo {
  OwnerId owner = kNoOwner;
  LoginRef login;  // who opened it, and alone may use it
  std::string vhost;
  std::string client_name;
  std::string peer;
};

// In what way something uses a session.
enum class SessionUse {
  kWatch,     // WatchSession: keeps it alive, and bound sessions end with it
  kStream,    // Subscribe, Consume: keeps it alive
  kGetLease,  // ended after the streams
  // A request that makes something owned by the session: its end waits for
  // the request, so that nothing is made for an owner that is gone.
  kRequest,
};
inline constexpr size_t kSessionUseCount = 4;

// The open sessions. A session expires when nothing names it for its ttl and
// nothing keeps it alive. Its end, whatever the cause, runs in this order: its
// streams end, its Get leases end, its exclusive queues are deleted, then
// those who wait for the end are told.
//
// Thread-safety: thread-safe; calls nothing that was handed in under its lock.
class Sessions : public OwnerListener,
                 public std::enable_shared_from_this<Sessions> {
 private:
  struct Session;
  using SessionRef = std::shared_ptr<Session>;

 public:
  static constexpr absl::Duration kDefaultTtl = absl::Seconds(30);
  static constexpr absl::Duration kMinTtl = absl::Seconds(5);
  static constexpr absl::Duration kMaxTtl = absl::Hours(1);
  // How long the end of a session is remembered, so that closing it again is
  // OK, and how many ends at the most.
  static constexpr absl::Duration kRememberEnded = absl::Seconds(60);
  static constexpr size_t kMaxEnded = 65536;

  struct Options {
    // Names this node; its hash is part of every session id, so that an id of
    // another node is told apart from one that is gone (WRONG_NODE).
    std::string node_id;
    size_t max_sessions = 10000;
    const Log* log = &SilentLog();  // must outlive the sessions
  };

  // Engine, clock and timers must outlive the sessions; a timer that is still
  // due when they are gone does nothing. Become the engine's owner listener.
  static std::shared_ptr<Sessions> Create(Options options, Engine* engine,
                                          const Clock* clock,
                                          TimerQueue* timers);
  ~Sessions() override;

  struct OpenParams {
    std::string vhost;
    LoginRef login;
    absl::Duration ttl = kDefaultTtl;  // within kMinTtl..kMaxTtl
    std::string client_name;
    std::string peer;
    bool bound_to_watch = false;
  };
  struct Opened {
    std::string session_id;  // a secret
    absl::Duration ttl;
    absl::Time expire_time;
  };
  // VHOST_NOT_FOUND, LIMIT_EXCEEDED.
  absl::StatusOr<Opened> Open(OpenParams params);

  // ACCESS_REFUSED if this is the session of another user; OK also if there is
  // no such session, which whatever follows will tell.
  absl::Status CheckUser(absl::string_view session_id,
                         const LoginRef& login) const;

  // Each of these renews the session. SESSION_NOT_FOUND: it is not there, or
  // is ending. WRONG_NODE: another node made it.
  absl::StatusOr<SessionInfo> Use(absl::string_view session_id);
  absl::StatusOr<absl::Time> KeepAlive(absl::string_view session_id);

  // Ties a user to its session until Detach. A copy names the same tie.
  class Attachment {
   public:
    Attachment() = default;  // tied to nothing
    explicit operator bool() const { return session_ != nullptr; }
    // Requires a tie.
    const SessionInfo& session() const;

   private:
    friend class Sessions;
    SessionRef session_;
    uint64_t number_ = 0;
  };
  // kRequest has no user. The user may be gone before it is detached.
  absl::StatusOr<Attachment> Attach(absl::string_view session_id,
                                    std::weak_ptr<SessionUser> user,
                                    SessionUse use);
  // No effect if it was detached before, or on an empty attachment.
  void Detach(const Attachment& attachment);

  // An owner for what is bound to no session.
  OwnerId NewOwner();

  // The client name of the session that `owner` stands for; empty if none.
  std::string ClientNameOf(OwnerId owner) const;

  // OwnerListener: tells the watches of a living session.
  void ExclusiveQueueClosed(OwnerId owner, const std::string& queue,
                            CancelReason reason) override;

  struct Ended {
    uint64_t requeued_count = 0;
    std::vector<std::string> deleted_queues;
  };
  using EndDone = absl::AnyInvocable<void(absl::StatusOr<Ended>)>;
  // Ends the session and answers when all of it is gone. For one that ends
  // already, or has ended in the last minute: the answer of that end.
  // SESSION_NOT_FOUND, WRONG_NODE.
  void Close(absl::string_view session_id, EndDone done);
  // The same by public handle. `reason`, if any, is told to its streams.
  // False: no such session.
  void EndByRef(absl::string_view session_ref, absl::string_view reason,
                absl::AnyInvocable<void(bool ended)> done);
  // Ends all sessions of a vhost; their streams finish with `status`.
  void EndVhost(absl::string_view vhost, const absl::Status& status,
                absl::AnyInvocable<void()> done);
  // Ends all sessions that `check`, called without a lock, finds fault with;
  // their streams finish with what it says.
  void EndRefused(const std::function<absl::Status(const SessionInfo&)>& check,
                  absl::AnyInvocable<void()> done);

  // A session as administrators see it.
  struct Listed {
    std::string session_ref;
    SessionInfo session;
    absl::Time open_time;
    absl::Time expire_time;  // InfiniteFuture: something keeps it alive
    uint64_t unacked_count = 0;
    uint32_t stream_count = 0;
  };
  // Sessions with a reference greater than `after`, in order, `limit` at the
  // most; of all vhosts if `vhost` is empty.
  std::vector<Listed> List(absl::string_view vhost, absl::string_view after,
                           size_t limit) const;

  size_t count() const;
  // Since the start.
  uint64_t opened_count() const {
    return opened_count_.load(std::memory_order_relaxed);
  }

 private:
  Sessions(Options options, Engine* engine, const Clock* clock,
           TimerQueue* timers);

  absl::StatusOr<SessionRef> FindLive(absl::string_view session_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status NotFound(absl::string_view session_id) const;
  // Starts the ttl anew. True: no timer is set; call ScheduleExpiry once the
  // lock is gone.
  bool Renew(Session* session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ScheduleExpiry(const SessionRef& session) ABSL_LOCKS_EXCLUDED(mu_);
  void OnExpiryTimer(const SessionRef& session) ABSL_LOCKS_EXCLUDED(mu_);

  // Begins the end, or waits for the one that has begun or is over.
  void End(const SessionRef& session, const absl::Status& status,
           absl::AnyInvocable<void(const Ended&)> done)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The steps of an end after its users have been released.
  void EndOwner(const SessionRef& session, uint64_t requeued_count)
      ABSL_LOCKS_EXCLUDED(mu_);
  void FinishEnd(const SessionRef& session, Ended ended)
      ABSL_LOCKS_EXCLUDED(mu_);
  void ForgetOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string id_prefix_;
  const size_t max_sessions_;
  const Log* const log_;
  Engine* const engine_;
  const Clock* const clock_;
  TimerQueue* const timers_;

  std::atomic<uint64_t> opened_count_{0};
  mutable Mutex mu_;
  OwnerId last_owner_ ABSL_GUARDED_BY(mu_) = kNoOwner;
  // Open and ending ones.
  absl::flat_hash_map<std::string, SessionRef> by_id_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, SessionRef, std::less<>> by_ref_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<OwnerId, SessionRef> by_owner_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, size_t> count_by_vhost_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Ended> ended_ ABSL_GUARDED_BY(mu_);
  std::deque<std::pair<absl::Time, std::string>> ended_order_
      ABSL_GUARDED_BY(mu_);
};

// ABORTED SESSION_ENDED, with the administrator's reason if there is one.
absl::Status SessionEndedStatus(absl::string_view reason);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_SESSIONS_H_
