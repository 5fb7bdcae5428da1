#ifndef KELPMQ_SERVICE_RPC_LISTEN_ADDRESS_H_
#define KELPMQ_SERVICE_RPC_LISTEN_ADDRESS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kelpmq::service {

// One socket to listen on.
struct ListenSocket {
  // What gRPC is told: "127.0.0.1:0", "[::1]:50672", "unix:/run/kelpmq.sock".
  std::string address;
  bool is_unix = false;
  // Only this machine can reach it.
  bool is_local = false;
};

// The file of a Unix socket.
std::string UnixPath(const ListenSocket& socket);

// Resolves what a user wrote: "host:port" (port 0: any free one), "[v6]:port"
// or "unix:/path". A host name gives a socket for each of its addresses, since
// gRPC would be content with one of them.
//   Errors: kInvalidArgument, with what was expected.
absl::StatusOr<std::vector<ListenSocket>> ResolveListenAddress(
    absl::string_view address);

// Whether the socket could be bound now, found out by doing it: gRPC reports
// no reasons. Removes the socket file of a server that is gone.
//   Errors: kUnavailable, with the reason ("Address already in use").
absl::Status CheckBindable(const ListenSocket& socket);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_LISTEN_ADDRESS_H_
