#include "service/base/descriptor_log_sink.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace kelpmq::service {

bool DescriptorLogSink::Write(absl::string_view line) {
  MutexLock lock(&mu_);
  // A pipe that is writable takes PIPE_BUF bytes in one piece.
  pollfd room = {descriptor_, POLLOUT, 0};
  if (poll(&room, 1, /*timeout=*/0) <= 0 || (room.revents & POLLOUT) == 0) {
    return false;
  }
  ssize_t written;
  do {
    written = write(descriptor_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(line.size());
}

}  // namespace kelpmq::service
