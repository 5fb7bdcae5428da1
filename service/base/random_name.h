#ifndef KELPMQ_SERVICE_BASE_RANDOM_NAME_H_
#define KELPMQ_SERVICE_BASE_RANDOM_NAME_H_

#include <string>

#include "absl/strings/string_view.h"

namespace kelpmq::service {

// What server-made names begin with (QNAME-01, CONS-03).
inline constexpr absl::string_view kServerQueuePrefix = "amq.gen-";
inline constexpr absl::string_view kServerConsumerTagPrefix = "amq.ctag-";

// `prefix` and 128 bits from the kernel's random source as 22 characters of
// url-safe base64. Thread-safe.
std::string MakeServerName(absl::string_view prefix);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_RANDOM_NAME_H_
