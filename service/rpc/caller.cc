#include "service/rpc/caller.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/convert.h"

namespace kelpmq::service {

absl::StatusOr<Caller> ResolveCaller(const Engine& engine, Sessions* sessions,
                                     const LoginRef& login,
                                     const std::string& default_vhost,
                                     const std::string& vhost,
                                     const std::string& session_id) {
  if (absl::Status status = CheckName("vhost", vhost); !status.ok()) {
    return status;
  }
  Caller caller;
  if (session_id.empty()) {
    caller.vhost = vhost.empty() ? default_vhost : vhost;
  } else {
    absl::Status own = sessions->CheckUser(session_id, login);
    if (!own.ok()) return own;
    auto session = sessions->Use(session_id);
    if (!session.ok()) return std::move(session).status();
    absl::Status status = CheckSessionVhost(vhost, *session);
    if (!status.ok()) return status;
    caller.vhost = std::move(session->vhost);
    caller.owner = session->owner;
  }
  caller.access = VhostAccess(login, caller.vhost);
  absl::Status access = CheckVhostAccess(engine, caller.vhost, &caller.access);
  if (!access.ok()) return access;
  return caller;
}

absl::Status CheckVhostAccess(const Engine& engine, const std::string& vhost,
                              VhostAccess* access) {
  absl::Status allowed = access->CheckVhost();
  if (allowed.ok()) return allowed;
  absl::Status known = engine.CheckVhost(vhost);
  return known.ok() ? allowed : known;
}

absl::Status CheckStreamAccess(const Engine& engine, const LoginRef& login,
                               const std::string& vhost, absl::Time now) {
  absl::Status valid = CheckStillValid(login, now);
  if (!valid.ok()) return valid;
  VhostAccess access(login, vhost);
  return CheckVhostAccess(engine, vhost, &access);
}

absl::Status CheckSessionVhost(const std::string& vhost,
                               const SessionInfo& session) {
  if (vhost.empty() || vhost == session.vhost) return absl::OkStatus();
  return MakeError(Reason::kVhostMismatch,
                   absl::StrCat("the session is in vhost '", session.vhost,
                                "', not '", vhost, "'"),
                   {{"vhost", vhost}});
}

}  // namespace kelpmq::service
