#ifndef KELPMQ_SERVICE_BASE_ERROR_H_
#define KELPMQ_SERVICE_BASE_ERROR_H_

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kelpmq::service {

// Why an operation failed. The names are API: clients branch on them, so one
// is never renamed and never changes its meaning.
enum class Reason {
  kMessageTooLarge,
  kHeadersTooLarge,
  kNoRoute,
  kServerDraining,
  kSessionEnded,
  kVhostNotFound,
  kVhostAccessRefused,
  kAccessRefused,
  kReservedName,
  kDefaultExchange,
  kInternalExchange,
  kConsumerExclusive,
  kBadCredentials,
  kTokenExpired,
  kExchangeNotFound,
  kQueueNotFound,
  kQueueDeleted,
  kLeaseNotFound,
  kSessionNotFound,
  kResourceLocked,
  kSessionRequired,
  kInequivalentArgument,
  kInvalidArgumentValue,
  kExchangeTypeUnknown,
  kInvalidExpiration,
  kInvalidHeader,
  kUserIdMismatch,
  kQueueInUse,
  kQueueNotEmpty,
  kExchangeInUse,
  kUnknownDeliveryTag,
  kDeliveryLost,
  kLeaseExpired,
  kWrongNode,
  kMalformedRequest,
  kInvalidName,
  kInvalidValue,
  kNoTags,
  kBadPageToken,
  kConflictingArgument,
  kSequenceOutOfOrder,
  kFirstMessage,
  kConsumerIdInUse,
  kVhostMismatch,
  kMemoryAlarm,
  kDiskAlarm,
  kUpstreamBlocked,
  kLimitExceeded,
  kResponseTooSmall,
  kConsumerTagInUse,
  kFeatureUnsupported,
  kInternalError,
  kQueueFull,
  kUpstreamUnavailable,
};

// One row of the table that api errors come from.
struct ErrorEntry {
  Reason reason;
  absl::string_view name;       // "QUEUE_NOT_FOUND"
  absl::StatusCode code;        // canonical (gRPC) code
  int amqp_code;                // 404; 0 where AMQP has no reply code for it
  absl::string_view amqp_name;  // "NOT_FOUND"
};

// The row of `reason`; every reason has one.
const ErrorEntry& EntryOf(Reason reason);

// Metadata of an error: "vhost", "exchange", "queue", "argument", "limit", ...
using ErrorMetadata =
    std::initializer_list<std::pair<absl::string_view, absl::string_view>>;

// A status with the reason's code and payloads that carry reason, AMQP code
// and metadata. `text` is what a person reads; by RabbitMQ's custom it is
// prefixed with the AMQP name ("NOT_FOUND - no queue 'q' in vhost '/'").
absl::Status MakeError(Reason reason, absl::string_view text,
                       ErrorMetadata metadata = {});
// The same with another AMQP code than the table's (VHOST-05: 406, not 506).
absl::Status MakeErrorWithAmqpCode(Reason reason, int amqp_code,
                                   absl::string_view text,
                                   ErrorMetadata metadata = {});

// What MakeError put into a status; a status made elsewhere reads as
// INTERNAL_ERROR (541) and keeps its code.
struct ErrorInfo {
  absl::string_view reason_name;
  int amqp_code = 0;
  std::string amqp_name;
  std::vector<std::pair<std::string, std::string>> metadata;
};
ErrorInfo InfoOf(const absl::Status& status);
// True if the status was made with this reason.
bool HasReason(const absl::Status& status, Reason reason);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_ERROR_H_
