#include "service/cli/perf/call_loop.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <chrono>

namespace kelpmq::service::cli::perf {
namespace {

// gRPC waits in whole milliseconds, and rounds up: what is due earlier than
// that is waited for by asking again and again.
constexpr int64_t kWaitGranularityNs = 1'000'000;

}  // namespace

int64_t SteadyNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

CallLoop::~CallLoop() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool CallLoop::RunOne(int64_t until_ns) {
  const int64_t wait_ns =
      std::max<int64_t>(until_ns - SteadyNanos() - kWaitGranularityNs, 0);
  const gpr_timespec deadline =
      wait_ns == 0 ? gpr_time_0(GPR_CLOCK_MONOTONIC)
                   : gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                  gpr_time_from_nanos(wait_ns, GPR_TIMESPAN));
  void* tag = nullptr;
  bool ok = false;
  if (queue_.AsyncNext(&tag, &ok, deadline) !=
      grpc::CompletionQueue::GOT_EVENT) {
    return false;
  }
  static_cast<Completion*>(tag)->OnComplete(ok);
  return true;
}

}  // namespace kelpmq::service::cli::perf
