#include "service/cli/interrupt.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <iterator>
#include <utility>

namespace kelpmq::service::cli {

BlockedInterrupts::BlockedInterrupts() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

BlockedInterrupts::~BlockedInterrupts() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

InterruptWatch::InterruptWatch(const BlockedInterrupts& blocked,
                               std::function<void(int count)> on_interrupt)
    : on_interrupt_(std::move(on_interrupt)),
      signal_fd_(signalfd(-1, &blocked.signals(), SFD_CLOEXEC)),
      stop_fd_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Watch(); }) {}

InterruptWatch::~InterruptWatch() {
  eventfd_write(stop_fd_, 1);
  thread_.join();
  close(signal_fd_);
  close(stop_fd_);
}

void InterruptWatch::Watch() {
  pollfd fds[] = {
      {signal_fd_, POLLIN, 0},
      {stop_fd_, POLLIN, 0},
      // No event is asked for: a pipe's broken end is always told.
      {STDOUT_FILENO, 0, 0},
  };
  auto& [signalled, stopped, output] = fds;
  for (int count = 0;;) {
    if (poll(fds, std::size(fds), /*timeout=*/-1) < 0) continue;  // EINTR
    if (stopped.revents != 0) return;
    if ((output.revents & POLLERR) != 0) on_interrupt_(++count);
    // Once is enough; other events (a terminal that hangs up) come as signals.
    if (output.revents != 0) output.fd = -1;
    signalfd_siginfo signal;
    if (signalled.revents != 0 &&
        read(signal_fd_, &signal, sizeof(signal)) == sizeof(signal)) {
      on_interrupt_(++count);
    }
  }
}

}  // namespace kelpmq::service::cli
