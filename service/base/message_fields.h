#ifndef KELPMQ_SERVICE_BASE_MESSAGE_FIELDS_H_
#define KELPMQ_SERVICE_BASE_MESSAGE_FIELDS_H_

#include <cstdint>

namespace kelpmq::service {

// Field numbers of kelpmq.v1.Message.
namespace message_field {
enum : uint32_t {
  kBody = 1,
  kHeaders = 2,
  kContentType = 3,
  kContentEncoding = 4,
  kDeliveryMode = 5,
  kPriority = 6,
  kCorrelationId = 7,
  kReplyTo = 8,
  kExpiration = 9,
  kMessageId = 10,
  kTimestamp = 11,
  kType = 12,
  kUserId = 13,
  kAppId = 14,
  kClusterId = 15,
};
}  // namespace message_field

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_MESSAGE_FIELDS_H_
