#ifndef KELPMQ_CLIENT_CPP_SRC_CONNECTION_H_
#define KELPMQ_CLIENT_CPP_SRC_CONNECTION_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "client/cpp/src/channel.h"
#include "client/cpp/src/poller.h"
#include "client/cpp/src/stream_call.h"
#include "client/cpp/src/unary_call.h"
#include "google/protobuf/message_lite.h"
#include "kelpmq/options.h"
#include "service/base/mutex.h"

namespace kelpmq::client {

// The channel of the moment, and calls on it with the client's credentials and
// deadlines. Thread-safety: thread-safe.
class Connection {
 public:
  // `options` must outlive it.
  Connection(const ClientOptions* options, ChannelFactory factory)
      : options_(*options),
        factory_(std::move(factory)),
        channel_(factory_.NewChannel()) {}

  Poller& poller() { return poller_; }
  const ClientOptions& options() const { return options_; }

  // Blocks, call_timeout and `extra` at the most.
  absl::Status Call(const std::string& method,
                    const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite* response,
                    absl::Duration extra = absl::ZeroDuration());

  // `done` runs on the polling thread. With connect_timeout for a deadline.
  template <typename Response>
  void Start(const std::string& method,
             const google::protobuf::MessageLite& request,
             absl::AnyInvocable<void(const absl::Status&, Response)> done) {
    auto response = std::make_unique<Response>();
    Response* const filled = response.get();
    StartCall(&poller_, Target(options_.connect_timeout), method, request,
              filled,
              [response = std::move(response),
               done = std::move(done)](const absl::Status& status) mutable {
                done(status, std::move(*response));
              });
  }

  // On the polling thread. Null once the poller stops.
  std::shared_ptr<StreamCall> OpenStream(
      const std::string& method, std::shared_ptr<StreamCall::Events> events);

  // Later calls connect anew; those under way stay where they are.
  void Renew();

 private:
  std::shared_ptr<grpc::Channel> channel();
  UnaryTarget Target(absl::Duration timeout);

  const ClientOptions& options_;
  const ChannelFactory factory_;
  Poller poller_;
  service::Mutex mu_;
  std::shared_ptr<grpc::Channel> channel_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_CONNECTION_H_
