#include "service/rpc/strictness.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// `feature`: its name among RabbitMQ's deprecated features.
absl::Status Deprecated(absl::string_view feature) {
  return MakeError(Reason::kInternalError,
                   absl::StrCat("Feature `", feature,
                                "` is deprecated. By default, this feature is "
                                "not permitted anymore."));
}

}  // namespace

absl::Status CheckStrictly(Strictness strictness, const QueueSpec& queue) {
  if (strictness == Strictness::kNone || queue.durable || queue.exclusive) {
    return absl::OkStatus();
  }
  return Deprecated("transient_nonexcl_queues");
}

absl::Status CheckStreamPrefetch(Strictness strictness) {
  if (strictness == Strictness::kNone) return absl::OkStatus();
  return Deprecated("global_qos");
}

}  // namespace kelpmq::service
