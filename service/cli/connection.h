#ifndef KELPMQ_SERVICE_CLI_CONNECTION_H_
#define KELPMQ_SERVICE_CLI_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kelpmq/v1/admin.grpc.pb.h"
#include "kelpmq/v1/messaging.grpc.pb.h"
#include "kelpmq/v1/topology.grpc.pb.h"
#include "service/cli/credentials.h"
#include "service/cli/errors.h"

namespace kelpmq::service::cli {

struct ConnectionOptions {
  std::string address = "127.0.0.1:50672";  // as gRPC takes it
  // Empty: the broker's default virtual host.
  std::string vhost;
  TlsOptions tls;
  LoginOptions login;
  // Bounds each unary call, and the connecting of streams.
  absl::Duration timeout = absl::Seconds(10);
};

// One channel to a broker and the stubs on it. Connects on the first call;
// a broker that refuses the connection fails that call at once.
// Thread-safety: thread-safe, but for the destructor.
class Connection {
 public:
  explicit Connection(const ConnectionOptions& options);

  // Whether the files with certificates and secrets could be read; if not,
  // calls must not be made.
  const absl::Status& status() const { return credentials_.status(); }

  // The request's vhost, as given on the command line.
  const std::string& vhost() const { return options_.vhost; }
  // The same for people: "/" if none was given.
  absl::string_view vhost_name() const {
    return options_.vhost.empty() ? absl::string_view("/")
                                  : absl::string_view(options_.vhost);
  }
  Target target() const;
  absl::Duration timeout() const { return options_.timeout; }

  v1::MessagingService::Stub* messaging() { return messaging_.get(); }
  v1::TopologyService::Stub* topology() { return topology_.get(); }
  v1::AdminService::Stub* admin() { return admin_.get(); }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  // A channel to the same broker that shares no connection with any other.
  std::shared_ptr<grpc::Channel> NewChannel() const;

  // Makes a unary call and waits for its end.
  //   extra: time the call may take on top of the timeout, for long polls.
  template <typename Stub, typename Request, typename Response>
  absl::Status Call(Stub* stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                 const Request&, Response*),
                    const Request& request, Response* response,
                    absl::Duration extra = absl::ZeroDuration()) {
    grpc::ClientContext context;
    SetDeadline(&context, extra);
    return StatusOf((stub->*method)(&context, request, response), context);
  }

  // The call's deadline: the timeout and `extra` from now.
  void SetDeadline(grpc::ClientContext* context,
                   absl::Duration extra = absl::ZeroDuration()) const;
  // Connects, so that a stream (which has no deadline) does not wait forever.
  absl::Status WaitForReady();
  // The status of a finished call. A deadline that passed before there was a
  // connection reads as UNAVAILABLE.
  absl::Status StatusOf(const grpc::Status& status,
                        const grpc::ClientContext& context) const;

 private:
  absl::Status NoConnectionInTime() const;

  const ConnectionOptions options_;
  const absl::StatusOr<Credentials> credentials_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::MessagingService::Stub> messaging_;
  const std::unique_ptr<v1::TopologyService::Stub> topology_;
  const std::unique_ptr<v1::AdminService::Stub> admin_;
};

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_CONNECTION_H_
