#ifndef KELPMQ_SERVICE_RPC_CALL_LOG_H_
#define KELPMQ_SERVICE_RPC_CALL_LOG_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "service/base/log.h"
#include "service/rpc/call_observer.h"
#include "service/rpc/reactor.h"
#include "service/rpc/traffic.h"

namespace kelpmq::service {

// Logs and counts the streams of a server and its failed calls. A stream is a
// line when it opens and one when it closes; a call that fails is the client's
// mistake mostly, and then worth a line only when somebody looks for it.
// Thread-safety: thread-safe.
class CallLog : public CallObserver {
 public:
  struct StreamCounts {
    Counter opened;
    Counter closed;
  };

  // Counts the streams of `methods`, which must be complete. `log` must outlive
  // this.
  CallLog(const MethodTable& methods, const Log* log);

  void StreamOpened(const Caller& caller) override;
  void CallFailed(const Caller& caller, const absl::Status& error) override;
  void StreamClosed(const Caller& caller, bool cancelled) override;

  // By RPC: "PublishStream".
  const std::map<std::string, StreamCounts, std::less<>>& streams() const {
    return streams_;
  }
  const Counter& failed_calls() const { return failed_calls_; }

 private:
  const Log* const log_;
  std::map<std::string, StreamCounts, std::less<>> streams_;  // keys constant
  Counter failed_calls_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CALL_LOG_H_
