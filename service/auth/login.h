#ifndef KELPMQ_SERVICE_AUTH_LOGIN_H_
#define KELPMQ_SERVICE_AUTH_LOGIN_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/auth/user.h"

namespace kelpmq::service {

class UserStore;

// In whose name a call acts, once that is proved. Immutable; shared by all
// calls that came with the same credentials.
struct Login {
  const UserStore* store = nullptr;
  AccountRef account;                               // as it was then
  absl::Time expire_time = absl::InfiniteFuture();  // of its token
};
// Null: nobody was asked, and everything is allowed (a server in a unit test).
using LoginRef = std::shared_ptr<const Login>;

// The name of the user; `guest` for null.
std::string UserOf(const LoginRef& login);

// BAD_CREDENTIALS once the user is gone or has another password,
// TOKEN_EXPIRED once the token has run out, by `now`.
absl::Status CheckStillValid(const LoginRef& login, absl::Time now);

// ACCESS_REFUSED unless the user is an administrator now.
absl::Status CheckAdministrator(const LoginRef& login);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_LOGIN_H_
