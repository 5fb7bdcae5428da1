#ifndef KELPMQ_SERVICE_CLI_CREDENTIALS_H_
#define KELPMQ_SERVICE_CLI_CREDENTIALS_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace kelpmq::service::cli {

// How to know the broker, as files in PEM form.
struct TlsOptions {
  bool enabled = false;  // false: the others are of no use
  std::string ca;        // empty: the system's
  std::string certificate;
  std::string key;
  std::string server_name;  // empty: that of the address
};

// Who calls. Secrets come from the environment or a file, never from the
// command line, which everybody on the machine can read.
struct LoginOptions {
  std::string user;
  std::string password;
  std::string password_file;  // instead of the password
  std::string token;
  std::string token_file;  // instead of the token
};

// What calls carry, read and ready.
struct Credentials {
  std::shared_ptr<grpc::ChannelCredentials> channel;  // null: no TLS
  std::string server_name;
  std::string authorization;  // of each call's metadata; empty: none
};

// Reads the files. A failure with exit code kUsage: a file that cannot be read
// or does not hold what it should, a user without a password, a user and a
// token.
absl::StatusOr<Credentials> ReadCredentials(const TlsOptions& tls,
                                            const LoginOptions& login);

// A channel whose calls carry the credentials.
std::shared_ptr<grpc::Channel> NewChannelTo(const std::string& address,
                                            const Credentials& credentials,
                                            grpc::ChannelArguments arguments);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_CREDENTIALS_H_
