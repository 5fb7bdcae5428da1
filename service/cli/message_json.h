#ifndef KELPMQ_SERVICE_CLI_MESSAGE_JSON_H_
#define KELPMQ_SERVICE_CLI_MESSAGE_JSON_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kelpmq/v1/messaging.pb.h"

namespace kelpmq::service::cli {

// A delivery as one JSON object: exchange, routing_key, `body` (text) or
// `body_base64` (bytes that are no UTF-8), headers and the properties that are
// set. ItemOf reads it, so what `get --json` prints can be published again.
nlohmann::ordered_json JsonOf(const v1::Delivery& delivery);

// A message to publish from one line of JSON: {"exchange"?, "routing_key"?,
// "body" | "body_base64"?, "headers"?, "deliver_time"? (RFC 3339),
// properties...}. Keys that only
// deliveries have are ignored.
// Errors: not JSON, a key that is not known, a value of the wrong type.
absl::StatusOr<v1::PublishItem> ItemOf(absl::string_view line);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_MESSAGE_JSON_H_
