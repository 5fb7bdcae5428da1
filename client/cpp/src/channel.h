#ifndef KELPMQ_CLIENT_CPP_SRC_CHANNEL_H_
#define KELPMQ_CLIENT_CPP_SRC_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kelpmq/options.h"

namespace kelpmq::client {

// "localhost" -> "localhost:50672": gRPC would take port 443.
std::string AddressWithPort(absl::string_view address);

// The value of the `authorization` header, or empty.
std::string AuthorizationOf(const Credentials& credentials);

// Makes channels as the options say: each connects anew, sharing nothing with
// those before it. Thread-safety: thread-safe.
class ChannelFactory {
 public:
  // Reads the files of `tls`.
  //   Errors: kInvalidArgument, naming the file or the option.
  static absl::StatusOr<ChannelFactory> Make(const ClientOptions& options);

  std::shared_ptr<grpc::Channel> NewChannel() const;

 private:
  ChannelFactory() = default;

  std::string address_;
  grpc::ChannelArguments arguments_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_CHANNEL_H_
