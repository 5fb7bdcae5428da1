#ifndef KELPMQ_SERVICE_PROCESS_END_H_
#define KELPMQ_SERVICE_PROCESS_END_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"

namespace kelpmq::service {

// Tells when another process has ended, however it did: a crash and SIGKILL
// count, and so does having ended before. Children that it leaves behind do
// not. It need not be this process's parent.
// Thread-safety: thread-compatible. Owns one thread, which sleeps until then.
class ProcessEnd {
 public:
  // Calls `ended` once, in a thread of its own, unless this object is destroyed
  // before.
  //   pid: 0 for none: then nothing is watched.
  //   Errors: kUnavailable, if the kernel cannot tell (Linux before 5.3).
  static absl::StatusOr<std::unique_ptr<ProcessEnd>> Watch(
      pid_t pid, std::function<void()> ended);

  // Waits for `ended` if it runs.
  ~ProcessEnd();

  ProcessEnd(const ProcessEnd&) = delete;
  ProcessEnd& operator=(const ProcessEnd&) = delete;

 private:
  // Owns both descriptors; `process` is -1 if it is not to be waited for.
  ProcessEnd(int process, int stop, std::function<void()> ended);

  const int process_;
  const int stop_;  // an eventfd
  std::thread thread_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_PROCESS_END_H_
