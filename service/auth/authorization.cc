#include "service/auth/authorization.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "service/base/error.h"
#include "service/base/names.h"

namespace kelpmq::service {
namespace {

// Takes `scheme` and the blanks after it off the header.
bool ConsumeScheme(absl::string_view* header, absl::string_view scheme) {
  if (header->size() <= scheme.size() ||
      !absl::StartsWithIgnoreCase(*header, scheme) ||
      (*header)[scheme.size()] != ' ') {
    return false;
  }
  *header = absl::StripAsciiWhitespace(header->substr(scheme.size()));
  return true;
}

absl::Status NotUnderstood() {
  return MakeError(Reason::kBadCredentials,
                   "the authorization metadata is neither 'Basic "
                   "BASE64(user:password)' nor 'Bearer TOKEN'");
}

}  // namespace

absl::StatusOr<Authorization> ParseAuthorization(absl::string_view header) {
  if (header.size() > kMaxAuthorizationBytes) return NotUnderstood();
  Authorization authorization;
  if (ConsumeScheme(&header, "Bearer")) {
    if (header.empty()) return NotUnderstood();
    authorization.scheme = Authorization::Scheme::kBearer;
    authorization.secret = Secret(header);
    return authorization;
  }
  std::string plain;
  if (!ConsumeScheme(&header, "Basic") ||
      !absl::Base64Unescape(header, &plain)) {
    return NotUnderstood();
  }
  const size_t colon = plain.find(':');
  if (colon != std::string::npos) {
    authorization.user = plain.substr(0, colon);
    authorization.secret = Secret(absl::string_view(plain).substr(colon + 1));
  }
  Wipe(plain.data(), plain.size());
  if (colon == std::string::npos || authorization.user.empty() ||
      !CheckName("user", authorization.user).ok()) {
    return NotUnderstood();
  }
  return authorization;
}

absl::Status LoginRefused() {
  return MakeError(Reason::kBadCredentials,
                   "Login was refused using authentication mechanism PLAIN. "
                   "For details see the broker logfile.");
}

}  // namespace kelpmq::service
