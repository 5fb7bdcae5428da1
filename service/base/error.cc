#include "service/base/error.h"

#include <cstdlib>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kelpmq::service {
namespace {

using absl::StatusCode;

// Sorted as the enum is: EntryOf indexes it.
constexpr ErrorEntry kTable[] = {
    // clang-format off
    {Reason::kMessageTooLarge, "MESSAGE_TOO_LARGE", StatusCode::kInvalidArgument, 406, "PRECONDITION_FAILED"},
    {Reason::kHeadersTooLarge, "HEADERS_TOO_LARGE", StatusCode::kInvalidArgument, 406, "PRECONDITION_FAILED"},
    {Reason::kNoRoute, "NO_ROUTE", StatusCode::kFailedPrecondition, 312, "NO_ROUTE"},
    {Reason::kServerDraining, "SERVER_DRAINING", StatusCode::kUnavailable, 320, "CONNECTION_FORCED"},
    {Reason::kSessionEnded, "SESSION_ENDED", StatusCode::kAborted, 320, "CONNECTION_FORCED"},
    {Reason::kVhostNotFound, "VHOST_NOT_FOUND", StatusCode::kNotFound, 530, "NOT_ALLOWED"},
    {Reason::kVhostAccessRefused, "VHOST_ACCESS_REFUSED", StatusCode::kPermissionDenied, 530, "NOT_ALLOWED"},
    {Reason::kAccessRefused, "ACCESS_REFUSED", StatusCode::kPermissionDenied, 403, "ACCESS_REFUSED"},
    {Reason::kReservedName, "RESERVED_NAME", StatusCode::kPermissionDenied, 403, "ACCESS_REFUSED"},
    {Reason::kDefaultExchange, "DEFAULT_EXCHANGE", StatusCode::kPermissionDenied, 403, "ACCESS_REFUSED"},
    {Reason::kInternalExchange, "INTERNAL_EXCHANGE", StatusCode::kPermissionDenied, 403, "ACCESS_REFUSED"},
    {Reason::kConsumerExclusive, "CONSUMER_EXCLUSIVE", StatusCode::kFailedPrecondition, 403, "ACCESS_REFUSED"},
    {Reason::kBadCredentials, "BAD_CREDENTIALS", StatusCode::kUnauthenticated, 403, "ACCESS_REFUSED"},
    {Reason::kTokenExpired, "TOKEN_EXPIRED", StatusCode::kUnauthenticated, 403, "ACCESS_REFUSED"},
    {Reason::kExchangeNotFound, "EXCHANGE_NOT_FOUND", StatusCode::kNotFound, 404, "NOT_FOUND"},
    {Reason::kQueueNotFound, "QUEUE_NOT_FOUND", StatusCode::kNotFound, 404, "NOT_FOUND"},
    {Reason::kQueueDeleted, "QUEUE_DELETED", StatusCode::kNotFound, 404, "NOT_FOUND"},
    {Reason::kLeaseNotFound, "LEASE_NOT_FOUND", StatusCode::kNotFound, 404, "NOT_FOUND"},
    {Reason::kSessionNotFound, "SESSION_NOT_FOUND", StatusCode::kNotFound, 404, "NOT_FOUND"},
    {Reason::kResourceLocked, "RESOURCE_LOCKED", StatusCode::kFailedPrecondition, 405, "RESOURCE_LOCKED"},
    {Reason::kSessionRequired, "SESSION_REQUIRED", StatusCode::kFailedPrecondition, 405, "RESOURCE_LOCKED"},
    {Reason::kInequivalentArgument, "INEQUIVALENT_ARGUMENT", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kInvalidArgumentValue, "INVALID_ARGUMENT_VALUE", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kExchangeTypeUnknown, "EXCHANGE_TYPE_UNKNOWN", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kInvalidExpiration, "INVALID_EXPIRATION", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kInvalidHeader, "INVALID_HEADER", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kUserIdMismatch, "USER_ID_MISMATCH", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kQueueInUse, "QUEUE_IN_USE", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kQueueNotEmpty, "QUEUE_NOT_EMPTY", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kExchangeInUse, "EXCHANGE_IN_USE", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kUnknownDeliveryTag, "UNKNOWN_DELIVERY_TAG", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kDeliveryLost, "DELIVERY_LOST", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kLeaseExpired, "LEASE_EXPIRED", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kWrongNode, "WRONG_NODE", StatusCode::kFailedPrecondition, 406, "PRECONDITION_FAILED"},
    {Reason::kMalformedRequest, "MALFORMED_REQUEST", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kInvalidName, "INVALID_NAME", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kInvalidValue, "INVALID_VALUE", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kNoTags, "NO_TAGS", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kBadPageToken, "BAD_PAGE_TOKEN", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kConflictingArgument, "CONFLICTING_ARGUMENT", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kSequenceOutOfOrder, "SEQUENCE_OUT_OF_ORDER", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kFirstMessage, "FIRST_MESSAGE", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kConsumerIdInUse, "CONSUMER_ID_IN_USE", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kVhostMismatch, "VHOST_MISMATCH", StatusCode::kInvalidArgument, 502, "SYNTAX_ERROR"},
    {Reason::kMemoryAlarm, "MEMORY_ALARM", StatusCode::kResourceExhausted, 506, "RESOURCE_ERROR"},
    {Reason::kDiskAlarm, "DISK_ALARM", StatusCode::kResourceExhausted, 506, "RESOURCE_ERROR"},
    {Reason::kUpstreamBlocked, "UPSTREAM_BLOCKED", StatusCode::kResourceExhausted, 506, "RESOURCE_ERROR"},
    {Reason::kLimitExceeded, "LIMIT_EXCEEDED", StatusCode::kResourceExhausted, 506, "RESOURCE_ERROR"},
    {Reason::kResponseTooSmall, "RESPONSE_TOO_SMALL", StatusCode::kResourceExhausted, 506, "RESOURCE_ERROR"},
    {Reason::kConsumerTagInUse, "CONSUMER_TAG_IN_USE", StatusCode::kAlreadyExists, 530, "NOT_ALLOWED"},
    {Reason::kFeatureUnsupported, "FEATURE_UNSUPPORTED", StatusCode::kUnimplemented, 540, "NOT_IMPLEMENTED"},
    {Reason::kInternalError, "INTERNAL_ERROR", StatusCode::kInternal, 541, "INTERNAL_ERROR"},
    {Reason::kQueueFull, "QUEUE_FULL", StatusCode::kResourceExhausted, 0, ""},
    {Reason::kUpstreamUnavailable, "UPSTREAM_UNAVAILABLE", StatusCode::kUnavailable, 0, ""},
    // clang-format on
};

constexpr absl::string_view kReasonUrl = "kelpmq/reason";
constexpr absl::string_view kAmqpCodeUrl = "kelpmq/amqp_code";
constexpr absl::string_view kMetadataUrl = "kelpmq/metadata/";

absl::string_view AmqpName(int amqp_code) {
  for (const ErrorEntry& entry : kTable) {
    if (entry.amqp_code == amqp_code) return entry.amqp_name;
  }
  return "";
}

const ErrorEntry* FindByName(absl::string_view name) {
  for (const ErrorEntry& entry : kTable) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace

const ErrorEntry& EntryOf(Reason reason) {
  return kTable[static_cast<size_t>(reason)];
}

absl::Status MakeError(Reason reason, absl::string_view text,
                       ErrorMetadata metadata) {
  return MakeErrorWithAmqpCode(reason, EntryOf(reason).amqp_code, text,
                               metadata);
}

absl::Status MakeErrorWithAmqpCode(Reason reason, int amqp_code,
                                   absl::string_view text,
                                   ErrorMetadata metadata) {
  const ErrorEntry& entry = EntryOf(reason);
  const absl::string_view amqp_name = AmqpName(amqp_code);
  absl::Status status(entry.code, amqp_name.empty()
                                      ? std::string(text)
                                      : absl::StrCat(amqp_name, " - ", text));
  status.SetPayload(kReasonUrl, absl::Cord(entry.name));
  status.SetPayload(kAmqpCodeUrl, absl::Cord(absl::StrCat(amqp_code)));
  for (const auto& [key, value] : metadata) {
    status.SetPayload(absl::StrCat(kMetadataUrl, key), absl::Cord(value));
  }
  return status;
}

ErrorInfo InfoOf(const absl::Status& status) {
  const ErrorEntry* entry = nullptr;
  if (auto name = status.GetPayload(kReasonUrl)) {
    entry = FindByName(std::string(*name));
  }
  if (entry == nullptr) entry = &EntryOf(Reason::kInternalError);
  ErrorInfo info;
  info.reason_name = entry->name;
  info.amqp_code = entry->amqp_code;
  if (auto code = status.GetPayload(kAmqpCodeUrl)) {
    if (!absl::SimpleAtoi(std::string(*code), &info.amqp_code)) std::abort();
  }
  info.amqp_name = std::string(AmqpName(info.amqp_code));
  status.ForEachPayload(
      [&info](absl::string_view url, const absl::Cord& value) {
        if (absl::ConsumePrefix(&url, kMetadataUrl)) {
          info.metadata.emplace_back(std::string(url), std::string(value));
        }
      });
  return info;
}

bool HasReason(const absl::Status& status, Reason reason) {
  auto name = status.GetPayload(kReasonUrl);
  return name.has_value() && *name == EntryOf(reason).name;
}

}  // namespace kelpmq::service
