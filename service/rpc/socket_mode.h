#ifndef KELPMQ_SERVICE_RPC_SOCKET_MODE_H_
#define KELPMQ_SERVICE_RPC_SOCKET_MODE_H_

#include <sys/stat.h>
#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "service/rpc/listen_address.h"

namespace kelpmq::service {

// Who may connect to Unix sockets, as the permission bits of their files: it
// takes the right to write. gRPC makes those files and offers no say in it.
//
// From construction to destruction, files that this process makes are its
// user's alone, so that no socket is ever open to more than it shall be. No
// mode: nothing is changed, and the umask decides.
// Thread-safety: the umask is the whole process's; use it before threads
// that make files.
class SocketMode {
 public:
  explicit SocketMode(absl::optional<mode_t> mode);
  ~SocketMode();
  SocketMode(const SocketMode&) = delete;
  SocketMode& operator=(const SocketMode&) = delete;

  // Gives the bound socket its mode. Does nothing for one that is not of Unix.
  //   Errors: kUnavailable, with address and reason.
  absl::Status Apply(const ListenSocket& socket) const;

 private:
  const absl::optional<mode_t> mode_;
  mode_t umask_before_ = 0;  // meaningless without a mode
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_SOCKET_MODE_H_
