#ifndef KELPMQ_SERVICE_CLI_TIMESTAMP_H_
#define KELPMQ_SERVICE_CLI_TIMESTAMP_H_

#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"

namespace kelpmq::service::cli {

// Points in time as the API has them, to the nanosecond.

inline void SetTimestamp(absl::Time time,
                         google::protobuf::Timestamp* timestamp) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp->set_seconds(seconds);
  timestamp->set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

inline absl::Time TimeOf(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) +
         absl::Nanoseconds(timestamp.nanos());
}

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_TIMESTAMP_H_
