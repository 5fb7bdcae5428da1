#include "service/rpc/stream_errors.h"

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/convert.h"

namespace kelpmq::service {

absl::Status ServerDrainingError() {
  return MakeError(Reason::kServerDraining, "the server is shutting down");
}

absl::Status VhostGoneError(absl::string_view vhost) {
  return MakeError(Reason::kVhostNotFound,
                   absl::StrCat("vhost '", vhost, "' was deleted"),
                   {{"vhost", vhost}});
}

v1::Draining DrainingNotice(absl::Time deadline) {
  v1::Draining notice;
  *notice.mutable_deadline() = FromTime(deadline);
  notice.set_message("the server is shutting down");
  return notice;
}

}  // namespace kelpmq::service
