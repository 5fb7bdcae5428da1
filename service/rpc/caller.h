#ifndef KELPMQ_SERVICE_RPC_CALLER_H_
#define KELPMQ_SERVICE_RPC_CALLER_H_

#include <string>

#include "absl/status/statusor.h"
#include "service/auth/vhost_access.h"
#include "service/base/types.h"
#include "service/engine/engine.h"
#include "service/rpc/sessions.h"

namespace kelpmq::service {

// In whose name, and where, a request acts.
struct Caller {
  std::string vhost;
  OwnerId owner = kNoOwner;  // its session's; kNoOwner without one
  VhostAccess access;        // what its user may do there
};

// VHOST_NOT_FOUND, or VHOST_ACCESS_REFUSED if the user has no permissions
// there (AUTH-02).
absl::Status CheckVhostAccess(const Engine& engine, const std::string& vhost,
                              VhostAccess* access);

// Resolves the vhost and session_id fields of a request; a session that is
// named is renewed. An empty vhost is the session's, else `default_vhost`.
//   SESSION_NOT_FOUND, WRONG_NODE
//   ACCESS_REFUSED: it is another user's
//   VHOST_NOT_FOUND, VHOST_ACCESS_REFUSED
//   VHOST_MISMATCH: the session is in another vhost than the one named
//   INVALID_NAME
absl::StatusOr<Caller> ResolveCaller(const Engine& engine, Sessions* sessions,
                                     const LoginRef& login,
                                     const std::string& default_vhost,
                                     const std::string& vhost,
                                     const std::string& session_id);

// Whether a stream of this login may go on in its vhost: the errors of
// CheckStillValid and CheckVhostAccess.
absl::Status CheckStreamAccess(const Engine& engine, const LoginRef& login,
                               const std::string& vhost, absl::Time now);

// VHOST_MISMATCH unless `vhost` is empty or the session's.
absl::Status CheckSessionVhost(const std::string& vhost,
                               const SessionInfo& session);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CALLER_H_
