#ifndef KELPMQ_CLIENT_CPP_SRC_METHODS_H_
#define KELPMQ_CLIENT_CPP_SRC_METHODS_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace kelpmq::client {

// Paths of the API's methods. Called by path, the stubs are not needed.
inline std::string MessagingMethod(absl::string_view name) {
  return absl::StrCat("/kelpmq.v1.MessagingService/", name);
}
inline std::string TopologyMethod(absl::string_view name) {
  return absl::StrCat("/kelpmq.v1.TopologyService/", name);
}
inline std::string SessionMethod(absl::string_view name) {
  return absl::StrCat("/kelpmq.v1.SessionService/", name);
}

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_METHODS_H_
