#include "client/cpp/src/connection.h"

#include <utility>

namespace kelpmq::client {

absl::Status Connection::Call(const std::string& method,
                              const google::protobuf::MessageLite& request,
                              google::protobuf::MessageLite* response,
                              absl::Duration extra) {
  return CallAndWait(Target(options_.call_timeout + extra), method, request,
                     response);
}

std::shared_ptr<StreamCall> Connection::OpenStream(
    const std::string& method, std::shared_ptr<StreamCall::Events> events) {
  return StreamCall::Start(&poller_, channel(), method,
                           AuthorizationOf(options_.credentials),
                           std::move(events));
}

void Connection::Renew() {
  std::shared_ptr<grpc::Channel> channel = factory_.NewChannel();
  {
    service::MutexLock lock(&mu_);
    channel_.swap(channel);
  }
  // The old one is let go here, outside of the lock.
}

std::shared_ptr<grpc::Channel> Connection::channel() {
  service::MutexLock lock(&mu_);
  return channel_;
}

UnaryTarget Connection::Target(absl::Duration timeout) {
  return {channel(), AuthorizationOf(options_.credentials), timeout};
}

}  // namespace kelpmq::client
