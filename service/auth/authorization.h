#ifndef KELPMQ_SERVICE_AUTH_AUTHORIZATION_H_
#define KELPMQ_SERVICE_AUTH_AUTHORIZATION_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/auth/secret.h"

namespace kelpmq::service {

// What the `authorization` metadata of a call claims.
struct Authorization {
  enum class Scheme {
    kBasic,   // `user` and its password
    kBearer,  // a token; `user` is empty
  };
  Scheme scheme = Scheme::kBasic;
  std::string user;
  Secret secret;
};

// Longer ones are refused unread.
inline constexpr size_t kMaxAuthorizationBytes = 8192;

// Reads "Basic BASE64(user:password)" or "Bearer TOKEN" (RFC 7617, RFC 6750;
// the scheme in any case). BAD_CREDENTIALS if it is neither; the text names
// nothing of what was sent.
absl::StatusOr<Authorization> ParseAuthorization(absl::string_view header);

// BAD_CREDENTIALS in RabbitMQ's words, which do not tell why.
absl::Status LoginRefused();

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_AUTHORIZATION_H_
