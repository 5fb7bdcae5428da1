#include "service/rpc/caller.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/convert.h"

namespace kelpmq::service {

absl::StatusOr<Caller> ResolveCaller(Sessions* sessions,
                                     const std::string& default_vhost,
                                     const std::string& vhost,
                                     const std::string& session_id) {
  if (absl::Status status = CheckName("vhost", vhost); !status.ok()) {
    return status;
  }
  if (session_id.empty()) {
    return Caller{vhost.empty() ? default_vhost : vhost, kNoOwner};
  }
  auto session = sessions->Use(session_id);
  if (!session.ok()) return std::move(session).status();
  absl::Status status = CheckSessionVhost(vhost, *session);
  if (!status.ok()) return status;
  return Caller{std::move(session->vhost), session->owner};
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
