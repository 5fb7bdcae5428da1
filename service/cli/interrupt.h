#ifndef KELPMQ_SERVICE_CLI_INTERRUPT_H_
#define KELPMQ_SERVICE_CLI_INTERRUPT_H_

#include <csignal>
#include <functional>
#include <thread>

namespace kelpmq::service::cli {

// Keeps SIGINT and SIGTERM from ending the process. To be made before any
// other thread is, since threads inherit the mask.
// Thread-safety: thread-compatible.
class BlockedInterrupts {
 public:
  BlockedInterrupts();
  ~BlockedInterrupts();  // pending ones strike now
  BlockedInterrupts(const BlockedInterrupts&) = delete;
  BlockedInterrupts& operator=(const BlockedInterrupts&) = delete;

  const sigset_t& signals() const { return signals_; }

 private:
  sigset_t signals_;
  sigset_t before_;
};

// Calls `on_interrupt` from a thread of its own, once for each blocked signal
// that comes (1, 2, ...), until it is destroyed. When the reader of standard
// output goes (`| head -1`), that counts as one: there will be no write, and so
// no SIGPIPE, as long as no message comes.
class InterruptWatch {
 public:
  InterruptWatch(const BlockedInterrupts& blocked,
                 std::function<void(int count)> on_interrupt);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

 private:
  void Watch();

  const std::function<void(int)> on_interrupt_;
  const int signal_fd_;
  const int stop_fd_;  // readable: the watch is over
  std::thread thread_;
};

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_INTERRUPT_H_
