#ifndef KELPMQ_SERVICE_RPC_CALLER_H_
#define KELPMQ_SERVICE_RPC_CALLER_H_

#include <string>

#include "absl/status/statusor.h"
#include "service/base/types.h"
#include "service/rpc/sessions.h"

namespace kelpmq::service {

// In whose name, and where, a request acts.
struct Caller {
  std::string vhost;
  OwnerId owner = kNoOwner;  // its session's; kNoOwner without one
};

// Resolves the vhost and session_id fields of a request; a session that is
// named is renewed. An empty vhost is the session's, else `default_vhost`.
//   SESSION_NOT_FOUND, WRONG_NODE
//   VHOST_MISMATCH: the session is in another vhost than the one named
//   INVALID_NAME
absl::StatusOr<Caller> ResolveCaller(Sessions* sessions,
                                     const std::string& default_vhost,
                                     const std::string& vhost,
                                     const std::string& session_id);

// VHOST_MISMATCH unless `vhost` is empty or the session's.
absl::Status CheckSessionVhost(const std::string& vhost,
                               const SessionInfo& session);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CALLER_H_
