#ifndef KELPMQ_SERVICE_CLI_ADDRESS_H_
#define KELPMQ_SERVICE_CLI_ADDRESS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace kelpmq::service::cli {

// Where a broker is, and what else its address says.
struct Address {
  std::string target;       // HOST:PORT or unix:/path, as gRPC takes it
  std::optional<bool> tls;  // nullopt: it is no URL, and does not say
  // Empty: it does not say.
  std::string user;
  std::string password;
  std::string vhost;
};

// The forms that the client libraries take, too: HOST (the default port),
// HOST:PORT, [IPV6]:PORT, unix:/path,
// kelpmq://USER:PASSWORD@HOST:PORT/VHOST (kelpmqs: with TLS), of which HOST and
// what stands before and behind it may be left out, and
// kelpmq+unix://USER:PASSWORD@/path?vhost=VHOST. Parts of a URL are
// percent-decoded, so the virtual host "/" is %2F. Other names that gRPC can
// resolve (dns:///broker) are taken as they are.
//   InvalidArgument: it is none of these. The text shows no password.
absl::StatusOr<Address> ParseAddress(const std::string& text);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_ADDRESS_H_
