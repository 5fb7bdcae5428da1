#include "service/process_end.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kelpmq::service {

absl::StatusOr<std::unique_ptr<ProcessEnd>> ProcessEnd::Watch(
    pid_t pid, std::function<void()> ended) {
  if (pid == 0) return nullptr;
  // A descriptor, not the number: that may soon be another process's.
  const int process = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (process < 0 && errno != ESRCH) {
    return absl::UnavailableError(
        absl::StrCat("cannot watch process ", pid, ": ", std::strerror(errno)));
  }
  const int stop = eventfd(0, EFD_CLOEXEC);
  if (stop < 0) {
    const int error = errno;
    if (process >= 0) close(process);
    return absl::UnavailableError(
        absl::StrCat("no eventfd: ", std::strerror(error)));
  }
  return std::unique_ptr<ProcessEnd>(
      new ProcessEnd(process, stop, std::move(ended)));
}

ProcessEnd::ProcessEnd(int process, int stop, std::function<void()> ended)
    : process_(process), stop_(stop) {
  thread_ = std::thread([this, ended = std::move(ended)] {
    pollfd watched[] = {{process_, POLLIN, 0}, {stop_, POLLIN, 0}};
    if (process_ >= 0) {
      while (poll(watched, 2, -1) < 0 && errno == EINTR) {
      }
      if (watched[1].revents != 0) return;
    }
    ended();
  });
}

ProcessEnd::~ProcessEnd() {
  eventfd_write(stop_, 1);
  thread_.join();
  if (process_ >= 0) close(process_);
  close(stop_);
}

}  // namespace kelpmq::service
