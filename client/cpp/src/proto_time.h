#ifndef KELPMQ_CLIENT_CPP_SRC_PROTO_TIME_H_
#define KELPMQ_CLIENT_CPP_SRC_PROTO_TIME_H_

#include <cstdint>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace kelpmq::client {

// Finer than nanoseconds is cut off.
inline void SetDuration(absl::Duration value,
                        google::protobuf::Duration* duration) {
  absl::Duration rest;
  duration->set_seconds(absl::IDivDuration(value, absl::Seconds(1), &rest));
  duration->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

inline void SetTime(absl::Time value, google::protobuf::Timestamp* timestamp) {
  const int64_t seconds = absl::ToUnixSeconds(value);
  const absl::Duration rest = value - absl::FromUnixSeconds(seconds);
  timestamp->set_seconds(seconds);
  timestamp->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_PROTO_TIME_H_
