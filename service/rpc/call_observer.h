#ifndef KELPMQ_SERVICE_RPC_CALL_OBSERVER_H_
#define KELPMQ_SERVICE_RPC_CALL_OBSERVER_H_

#include <string>

#include "absl/status/status.h"

namespace kelpmq::service {

// Hears of streams, and of calls that fail.
// Thread-safety: implementations are thread-safe; no call may block.
class CallObserver {
 public:
  // Who calls what. `peer` may be empty if the client has gone.
  struct Caller {
    const std::string& method;  // "/kelpmq.v1.X/Y"
    const std::string& peer;
    bool is_stream;
  };

  virtual ~CallObserver() = default;
  virtual void StreamOpened(const Caller& caller) = 0;
  // The server ends the call with this error.
  virtual void CallFailed(const Caller& caller, const absl::Status& error) = 0;
  // Once for each that was opened.
  //   cancelled: the client went without waiting for the end.
  virtual void StreamClosed(const Caller& caller, bool cancelled) = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CALL_OBSERVER_H_
