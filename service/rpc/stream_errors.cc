#include "service/rpc/stream_errors.h"

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/convert.h"

namespace kelpmq::service {
namespace {

// RabbitMQ's words.
constexpr char kLowOnMemory[] = "low on memory";

}  // namespace

absl::Status ServerDrainingError() {
  return MakeError(Reason::kServerDraining, "the server is shutting down");
}

absl::Status VhostGoneError(absl::string_view vhost) {
  return MakeError(Reason::kVhostNotFound,
                   absl::StrCat("vhost '", vhost, "' was deleted"),
                   {{"vhost", vhost}});
}

absl::Status MemoryAlarmError() {
  return MakeError(Reason::kMemoryAlarm, kLowOnMemory);
}

v1::FlowNotice MemoryNotice(bool blocked) {
  v1::FlowNotice notice;
  notice.set_blocked(blocked);
  if (blocked) notice.set_reason(kLowOnMemory);
  return notice;
}

v1::Draining DrainingNotice(absl::Time deadline) {
  v1::Draining notice;
  *notice.mutable_deadline() = FromTime(deadline);
  notice.set_message("the server is shutting down");
  return notice;
}

}  // namespace kelpmq::service
