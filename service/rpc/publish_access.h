#ifndef KELPMQ_SERVICE_RPC_PUBLISH_ACCESS_H_
#define KELPMQ_SERVICE_RPC_PUBLISH_ACCESS_H_

#include "absl/status/status.h"
#include "service/auth/vhost_access.h"
#include "service/engine/engine.h"
#include "service/rpc/publish_request.h"

namespace kelpmq::service {

// Moves the items that the user may not publish to the failures: ACCESS_REFUSED
// for the exchange (AUTH-04) or the topic (AUTH-10), USER_ID_MISMATCH
// (USERID-01). Items whose exchange is not there, or internal, stay: that they
// hear from the engine first.
//   ACCESS_REFUSED: the request has no items, and none would be allowed
absl::Status CheckPublish(const Engine& engine, VhostAccess* access,
                          PublishRequestData* request);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_PUBLISH_ACCESS_H_
