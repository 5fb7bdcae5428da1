#ifndef KELPMQ_CLIENT_CPP_SRC_CLIENT_CORE_H_
#define KELPMQ_CLIENT_CPP_SRC_CLIENT_CORE_H_

#include <atomic>
#include <cstddef>

#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/status/status.h"
#include "client/cpp/src/connection.h"
#include "client/cpp/src/recovery.h"
#include "client/cpp/src/session.h"
#include "client/cpp/src/topology_client.h"
#include "kelpmq/options.h"

namespace kelpmq::client {

// The parts of a client, put together. Shared by the client and all that it
// made, so that these may outlive it; no thread runs once it is closed.
// Thread-safety: as its parts'.
class ClientCore {
 public:
  ClientCore(ClientOptions options, ChannelFactory factory);
  ~ClientCore() { Close(); }

  const ClientOptions& options() const { return options_; }
  Connection& connection() { return connection_; }
  Session& session() { return session_; }
  TopologyClient& topology() { return topology_; }
  Recovery& recovery() { return recovery_; }
  bool closed() const { return closed_.load(std::memory_order_acquire); }

  // Largest message that the broker takes, as far as known.
  size_t max_message_bytes() const { return max_message_bytes_; }
  void set_max_message_bytes(size_t bytes) { max_message_bytes_ = bytes; }

  void Report(const ClientEvent& event) const {
    if (options_.on_event) options_.on_event(event);
  }

  // Ends all that goes on. Not on the polling thread. Later calls do nothing.
  void Close();

 private:
  // One try to come back.
  void Attempt(absl::AnyInvocable<void(const absl::Status&)> done);

  const ClientOptions options_;
  Connection connection_;
  Session session_;
  TopologyClient topology_;
  absl::BitGen random_;  // the polling thread's
  Recovery recovery_;
  std::atomic<bool> closed_{false};
  size_t max_message_bytes_;  // set before it is shared
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_CLIENT_CORE_H_
