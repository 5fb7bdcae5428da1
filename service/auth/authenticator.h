#ifndef KELPMQ_SERVICE_AUTH_AUTHENTICATOR_H_
#define KELPMQ_SERVICE_AUTH_AUTHENTICATOR_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/auth/audit.h"
#include "service/auth/authorization.h"
#include "service/auth/login.h"
#include "service/auth/login_cache.h"
#include "service/auth/login_throttle.h"
#include "service/auth/password_hash.h"
#include "service/auth/user_store.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

// Who a call comes from, by its `authorization` metadata. A password is
// verified once, by the executor, since that takes long on purpose; what was
// verified is remembered until the user changes.
// Thread-safety: thread-safe. What is handed in must outlive it.
class Authenticator {
 public:
  using Verdict = absl::StatusOr<LoginRef>;

  // Credentials that may wait for their turn with the slow hash. Each takes
  // some 20 ms; more than these would be answered after their client has left.
  static constexpr size_t kMaxWaiting = 500;

  // `slow`: runs what takes long, one at a time, to bound the memory it takes.
  // `audit` may be null.
  Authenticator(UserStore* store, const Clock* clock, Executor* slow,
                AuditLog* audit);

  // The verdict, if it takes no slow hash. An empty header is whoever the store
  // says is anonymous.
  //   BAD_CREDENTIALS, TOKEN_EXPIRED
  std::optional<Verdict> Recognize(absl::string_view header);

  // For what Recognize does not know: `done` gets the verdict from the
  // executor. BAD_CREDENTIALS also unseen, for a while, after many failures of
  // this peer as this user; LIMIT_EXCEEDED if too many wait.
  void Verify(absl::string_view header, std::string peer,
              absl::AnyInvocable<void(Verdict)> done);

 private:
  // The login that the cache has, if it still holds.
  std::optional<Verdict> FromCache(const LoginKey& key)
      ABSL_LOCKS_EXCLUDED(mu_);
  Verdict CheckToken(absl::string_view token, absl::string_view peer);
  // Takes as long for a user who is not there as for a wrong password.
  Verdict CheckPassword(const Authorization& authorization,
                        absl::string_view peer);
  Verdict Refuse(absl::string_view user, absl::string_view peer);
  void RunVerification(const Secret& header, const std::string& peer,
                       absl::AnyInvocable<void(Verdict)> done);

  UserStore* const store_;
  const Clock* const clock_;
  Executor* const slow_;
  AuditLog* const audit_;
  const PasswordHash nobodys_;  // checked in place of an unknown user's

  const LoginRef anonymous_;  // of calls that say nothing of themselves
  const LoginKeys keys_;

  Mutex mu_;
  LoginCache cache_ ABSL_GUARDED_BY(mu_);
  LoginThrottle throttle_ ABSL_GUARDED_BY(mu_);
  size_t waiting_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_AUTHENTICATOR_H_
