#ifndef KELPMQ_SERVICE_CLI_PERF_CALL_LOOP_H_
#define KELPMQ_SERVICE_CLI_PERF_CALL_LOOP_H_

#include <grpcpp/completion_queue.h>

#include <cstdint>

namespace kelpmq::service::cli::perf {

// Steady time, in nanoseconds from some moment before the process began.
int64_t SteadyNanos();

// The one completion queue of a load, polled by the one thread that also makes
// all the calls: two threads would cost each other more than the second brings.
// Thread-safety: for one thread.
class CallLoop {
 public:
  // What a tag of the queue points to.
  class Completion {
   public:
    virtual void OnComplete(bool ok) = 0;

   protected:
    ~Completion() = default;
  };

  CallLoop() = default;
  // All calls must be over.
  ~CallLoop();
  CallLoop(const CallLoop&) = delete;
  CallLoop& operator=(const CallLoop&) = delete;

  grpc::CompletionQueue* queue() { return &queue_; }

  // Handles the next completion; false if none has come by then.
  bool RunOne(int64_t until_ns);

 private:
  grpc::CompletionQueue queue_;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_CALL_LOOP_H_
