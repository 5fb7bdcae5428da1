#ifndef KELPMQ_TESTS_TESTING_REASON_OF_H_
#define KELPMQ_TESTS_TESTING_REASON_OF_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/base/error.h"

namespace kelpmq::service::testing {

// "OK" or the reason, as in EXPECT_EQ(ReasonOf(status), "QUEUE_NOT_FOUND").
inline std::string ReasonOf(const absl::Status& status) {
  return status.ok() ? "OK" : std::string(InfoOf(status).reason_name);
}
template <typename T>
std::string ReasonOf(const absl::StatusOr<T>& result) {
  return ReasonOf(result.status());
}

// The value of error metadata `key`; empty if there is none.
inline std::string MetadataOf(const absl::Status& status,
                              absl::string_view key) {
  for (const auto& [name, value] : InfoOf(status).metadata) {
    if (name == key) return value;
  }
  return "";
}

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_REASON_OF_H_
