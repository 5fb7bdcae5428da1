#include "service/auth/login.h"

#include "absl/strings/str_cat.h"
#include "service/auth/user_store.h"
#include "service/base/error.h"

namespace kelpmq::service {

std::string UserOf(const LoginRef& login) {
  return login == nullptr ? std::string(kGuest) : login->account->user.name;
}

absl::Status CheckStillValid(const LoginRef& login, absl::Time now) {
  if (login == nullptr) return absl::OkStatus();
  const Account& then = *login->account;
  if (then.unrestricted && login->store->guest_is_open()) {
    return absl::OkStatus();  // as on most servers
  }
  const AccountRef account = login->store->FindUser(then.user.name);
  if (account == nullptr) {
    return MakeError(Reason::kBadCredentials,
                     absl::StrCat("user '", then.user.name, "' is gone"));
  }
  if (account->credential != then.credential ||
      account->unrestricted != then.unrestricted) {
    return MakeError(
        Reason::kBadCredentials,
        absl::StrCat("user '", then.user.name, "' has another password now"));
  }
  if (login->expire_time <= now) {
    return MakeError(Reason::kTokenExpired, "the token has expired");
  }
  return absl::OkStatus();
}

absl::Status CheckAdministrator(const LoginRef& login) {
  if (login == nullptr ||
      (login->account->unrestricted && login->store->guest_is_open())) {
    return absl::OkStatus();
  }
  const std::string& name = login->account->user.name;
  const AccountRef account = login->store->FindUser(name);
  if (account != nullptr && account->administrator) return absl::OkStatus();
  return MakeError(Reason::kAccessRefused,
                   absl::StrCat("user '", name, "' has not the tag '",
                                kAdministratorTag, "'"));
}

}  // namespace kelpmq::service
