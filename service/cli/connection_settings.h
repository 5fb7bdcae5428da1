#ifndef KELPMQ_SERVICE_CLI_CONNECTION_SETTINGS_H_
#define KELPMQ_SERVICE_CLI_CONNECTION_SETTINGS_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/cli/connection.h"

namespace kelpmq::service::cli {

// What the command line says about a connection; nullopt: nothing. An empty
// text is an answer, too: `--user ''` logs nobody in.
struct ConnectionSettings {
  std::optional<std::string> address;
  std::optional<std::string> vhost;
  std::optional<std::string> user;
  std::optional<std::string> password_file;
  std::optional<std::string> token_file;
  std::optional<bool> tls;
  std::optional<std::string> tls_ca;
  std::optional<std::string> tls_cert;
  std::optional<std::string> tls_key;
  std::optional<std::string> tls_server_name;
  absl::Duration timeout = ConnectionOptions().timeout;
};

// The value of an environment variable; empty: it is not set.
using Environment = std::function<std::string(const char* variable)>;

// The environment of this process.
std::string EnvironmentVariable(const char* variable);

// What holds. An option of the command line wins over what the address says,
// wherever that comes from, and the address over all other variables: an
// address that names a user or a scheme is complete, and what a shell happens
// to export for another broker does not change it. Who logs in is decided by
// the first of the three that names a user or a token.
//   Failures have the exit code kUsage: an address that is none, KELPMQ_TLS
//   with a value that is neither true nor false.
absl::StatusOr<ConnectionOptions> Resolve(const ConnectionSettings& given,
                                          const Environment& environment);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_CONNECTION_SETTINGS_H_
