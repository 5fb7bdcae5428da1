#ifndef KELPMQ_SERVICE_BASE_DESCRIPTOR_LOG_SINK_H_
#define KELPMQ_SERVICE_BASE_DESCRIPTOR_LOG_SINK_H_

#include "absl/strings/string_view.h"
#include "service/base/log.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

// Writes lines to a file descriptor (a terminal, file or pipe) at once, but
// never waits for whoever reads it.
// Thread-safety: thread-safe.
class DescriptorLogSink : public LogSink {
 public:
  // Does not own `descriptor`. SIGPIPE must be ignored if it is a pipe.
  explicit DescriptorLogSink(int descriptor) : descriptor_(descriptor) {}

  // At most kMaxLogLineBytes (log_line.h).
  bool Write(absl::string_view line) override;

 private:
  const int descriptor_;
  Mutex mu_;  // held from seeing room to using it up
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_DESCRIPTOR_LOG_SINK_H_
