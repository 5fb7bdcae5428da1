#ifndef KELPMQ_SERVICE_RPC_STREAM_ERRORS_H_
#define KELPMQ_SERVICE_RPC_STREAM_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kelpmq/v1/types.pb.h"

namespace kelpmq::service {

// How the server ends streams, and what it tells them before.

// UNAVAILABLE, SERVER_DRAINING: retry elsewhere or later.
absl::Status ServerDrainingError();
// NOT_FOUND, VHOST_NOT_FOUND: the stream's vhost was deleted.
absl::Status VhostGoneError(absl::string_view vhost);

// RESOURCE_EXHAUSTED, MEMORY_ALARM: publish again later.
absl::Status MemoryAlarmError();

v1::Draining DrainingNotice(absl::Time deadline);
// Publishers are, or are no longer, held back for want of memory.
v1::FlowNotice MemoryNotice(bool blocked);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_STREAM_ERRORS_H_
