#ifndef KELPMQ_CLIENT_CPP_SRC_UNARY_CALL_H_
#define KELPMQ_CLIENT_CPP_SRC_UNARY_CALL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/src/poller.h"
#include "google/protobuf/message_lite.h"

namespace kelpmq::client {

struct UnaryTarget {
  std::shared_ptr<grpc::Channel> channel;
  std::string authorization;
  absl::Duration timeout;
};

// Makes a call and waits for its end, on a queue of its own: works on any
// thread, also on the polling one.
absl::Status CallAndWait(const UnaryTarget& target, const std::string& method,
                         const google::protobuf::MessageLite& request,
                         google::protobuf::MessageLite* response);

// Makes a call; `done` runs on the polling thread. Once the poller stops it
// is called at once, with kCancelled.
//   response: filled before `done`, which should keep it alive.
void StartCall(Poller* poller, const UnaryTarget& target,
               const std::string& method,
               const google::protobuf::MessageLite& request,
               google::protobuf::MessageLite* response,
               absl::AnyInvocable<void(absl::Status)> done);

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_UNARY_CALL_H_
