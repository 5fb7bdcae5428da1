#ifndef KELPMQ_CLIENT_CPP_SRC_CONSUMER_REQUESTS_H_
#define KELPMQ_CLIENT_CPP_SRC_CONSUMER_REQUESTS_H_

#include <string>

#include "kelpmq/consumer.h"
#include "kelpmq/v1/messaging.pb.h"

namespace kelpmq::client {

// The first request of a consumer's stream.
v1::ConsumeRequest StartRequest(const ConsumerOptions& options,
                                const std::string& vhost,
                                const std::string& session_id,
                                const std::string& queue);

// Why a consumer is over, that the broker cancelled.
absl::Status StatusOf(const v1::ConsumerCancelled& cancelled,
                      const std::string& queue);
// Why deliveries are not the consumer's any more, or could not be settled.
absl::Status StatusOf(v1::LostReason reason);
absl::Status StatusOf(v1::SettleFailureReason reason);

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_CONSUMER_REQUESTS_H_
