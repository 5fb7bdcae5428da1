#ifndef KELPMQ_CLIENT_CPP_SRC_RESTORE_H_
#define KELPMQ_CLIENT_CPP_SRC_RESTORE_H_

#include <functional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "client/cpp/src/connection.h"
#include "client/cpp/src/session.h"
#include "client/cpp/src/topology_client.h"

namespace kelpmq::client {

// What a restore works on. All of it outlives the poller's calls.
struct RestoreParts {
  Connection* connection;
  Session* session;
  TopologyClient* topology;
  std::function<void(const ClientEvent&)> report;
};

// Declares again, one after the other, what the client declared. What the
// broker refuses is reported and left out.
//   done: on the polling thread, with the error if the broker is not there.
void RestoreTopology(const RestoreParts& parts,
                     absl::AnyInvocable<void(const absl::Status&)> done);

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_RESTORE_H_
