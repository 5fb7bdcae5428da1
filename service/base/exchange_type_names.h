#ifndef KELPMQ_SERVICE_BASE_EXCHANGE_TYPE_NAMES_H_
#define KELPMQ_SERVICE_BASE_EXCHANGE_TYPE_NAMES_H_

#include "absl/strings/string_view.h"

namespace kelpmq::service {

// The types of exchanges by name: what the broker makes and what the command
// line offers.
inline constexpr absl::string_view kConsistentHashType = "x-consistent-hash";
inline constexpr absl::string_view kRecentHistoryType = "x-recent-history";
inline constexpr absl::string_view kDeduplicationType =
    "x-message-deduplication";
inline constexpr absl::string_view kDelayedType = "x-delayed-message";

inline constexpr absl::string_view kExchangeTypes[] = {"direct",
                                                       "fanout",
                                                       "topic",
                                                       "headers",
                                                       kConsistentHashType,
                                                       "x-modulus-hash",
                                                       "x-random",
                                                       "x-local-random",
                                                       kRecentHistoryType,
                                                       kDeduplicationType,
                                                       kDelayedType};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_EXCHANGE_TYPE_NAMES_H_
