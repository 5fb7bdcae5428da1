#ifndef KELPMQ_CLIENT_CPP_SRC_SESSION_H_
#define KELPMQ_CLIENT_CPP_SRC_SESSION_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/src/connection.h"
#include "kelpmq/v1/session.pb.h"
#include "service/base/mutex.h"

namespace kelpmq::client {

// The client's session, which owns its exclusive queues. Opened when the first
// of them is declared, and bound to a stream that watches it: it ends when the
// connection does. Thread-safety: thread-safe.
class Session {
 public:
  // What it tells the client. Called on the polling thread.
  struct Listener {
    std::function<void(const absl::Status&)> on_lost;
    std::function<void(const ClientEvent&)> report;
  };

  // `connection` must outlive it.
  Session(Connection* connection, Listener listener);

  // Opens it, if it is not open. Blocks. Gives its id.
  absl::StatusOr<std::string> Open();
  // Opens another one if there was one that has ended. `done` runs on the
  // polling thread.
  void Reopen(absl::AnyInvocable<void(const absl::Status&)> done);
  // Empty: there is none.
  std::string id() const;

 private:
  class Watch;
  enum class State { kNone, kOpening, kOpen, kLost };

  v1::OpenSessionRequest OpenRequest() const;
  void OnOpened(const v1::OpenSessionResponse& response);
  void OnWatchEnded(const std::string& id, const absl::Status& status);
  void SetState(State state, const std::string& id = "");

  Connection* const connection_;
  const Listener listener_;
  mutable service::Mutex mu_;
  service::CondVar changed_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kNone;
  std::string id_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_SESSION_H_
