#include "service/rpc/socket_mode.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace kelpmq::service {
namespace {

constexpr mode_t kAllButTheUser = 077;

}  // namespace

SocketMode::SocketMode(absl::optional<mode_t> mode) : mode_(mode) {
  if (mode_.has_value()) umask_before_ = umask(kAllButTheUser);
}

SocketMode::~SocketMode() {
  if (mode_.has_value()) umask(umask_before_);
}

absl::Status SocketMode::Apply(const ListenSocket& socket) const {
  if (!mode_.has_value() || !socket.is_unix) return absl::OkStatus();
  const std::string path = UnixPath(socket);
  if (chmod(path.c_str(), *mode_) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      "cannot set the mode of ", socket.address, ": ", strerror(errno)));
}

}  // namespace kelpmq::service
