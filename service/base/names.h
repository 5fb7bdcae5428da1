#ifndef KELPMQ_SERVICE_BASE_NAMES_H_
#define KELPMQ_SERVICE_BASE_NAMES_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kelpmq::service {

// INVALID_NAME unless `name` is at most kMaxNameBytes of valid UTF-8
// (LIMIT-01). `what` says in the error's text what it names: "exchange",
// "routing key".
absl::Status CheckName(absl::string_view what, absl::string_view name);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_NAMES_H_
