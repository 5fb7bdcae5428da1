#ifndef KELPMQ_ERROR_H_
#define KELPMQ_ERROR_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kelpmq {

// What a status of this library tells besides code and message. All functions
// are thread-safe.

// Why: "QUEUE_NOT_FOUND". One of the broker's reasons, which are API, or of
// those below; empty if the failure has none, as when no broker was reached.
std::string ReasonOf(const absl::Status& status);

// The code that AMQP 0-9-1 has for it (404), or 0.
int AmqpCodeOf(const absl::Status& status);

// What it is about, by "queue", "exchange", "vhost", "argument", ...
std::map<std::string, std::string> MetadataOf(const absl::Status& status);

// Reasons that are found on this side.

// The stream broke between a publish and its confirm: the broker may or may not
// have the message. Code kUnknown.
inline constexpr absl::string_view kConfirmLost = "CONFIRM_LOST";
// The delivery belongs to a stream that is gone: it has been requeued, and
// comes again. Code kFailedPrecondition.
inline constexpr absl::string_view kDeliveryLost = "DELIVERY_LOST";
// The publisher has as many unconfirmed messages as it may. Code
// kResourceExhausted.
inline constexpr absl::string_view kWindowFull = "WINDOW_FULL";
// Client, publisher or consumer was closed. Code kCancelled.
inline constexpr absl::string_view kClosed = "CLOSED";

// True if nobody can tell whether a publish took effect (kConfirmLost).
bool IsOutcomeUnknown(const absl::Status& status);

// For fakes, and for what this library finds itself.
absl::Status MakeError(absl::StatusCode code, absl::string_view reason,
                       absl::string_view message, int amqp_code = 0,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace kelpmq

#endif  // KELPMQ_ERROR_H_
