#ifndef KELPMQ_SERVICE_RPC_SERVER_H_
#define KELPMQ_SERVICE_RPC_SERVER_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "service/auth/authenticator.h"
#include "service/rpc/call_observer.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/draining.h"
#include "service/rpc/limits.h"
#include "service/rpc/reactor.h"
#include "service/rpc/stream_registry.h"
#include "service/rpc/tls.h"

namespace kelpmq::service {

// max(1, cores / 2): all pollers share one epoll set, so one too many costs
// more than it brings.
int DefaultIoThreads();

struct ServerOptions {
  // See ResolveListenAddress.
  std::vector<std::string> listen = {"127.0.0.1:50672"};
  // Permissions of the Unix sockets among them; none: what the umask leaves.
  absl::optional<mode_t> socket_mode;
  // For all that is listened on but Unix sockets, which never leave the
  // machine.
  TlsFiles tls;
  int io_threads = DefaultIoThreads();
  // Of one request; over it a client sees RESOURCE_EXHAUSTED.
  size_t max_request_bytes = Limits().max_request_bytes();
  // When a connection has been silent this long it is asked whether it lives,
  // and cut off without an answer within the time-out.
  absl::Duration keepalive_time = absl::Seconds(20);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  // A client that pings more often than this loses its connection.
  absl::Duration min_client_ping_interval = absl::Seconds(5);
  // What gRPC may hold of requests that have not been read and of connections,
  // all together; 0: no limit. As it is used up windows get smaller, and
  // streams are ended before more than this is held.
  size_t max_transport_bytes = 0;
};

// Serves a MethodTable over gRPC: all methods through one generic service, on
// completion queues with one thread each.
// Thread-safety: thread-compatible.
class Server {
 public:
  // Listens: connections are taken, but calls wait for Serve. What is handed in
  // must outlive the server. A method that is not in the table is
  // UNIMPLEMENTED; one that refuses to begin while `draining` has started is
  // SERVER_DRAINING.
  //   Errors: kInvalidArgument for an address that is none or a TLS file that
  //   does not do, kUnavailable when an address cannot be bound; all name it.
  // `observer`, if not null, hears of calls. Without an `authenticator` nobody
  // is asked who they are, and all may do everything.
  static absl::StatusOr<std::unique_ptr<Server>> Listen(
      const ServerOptions& options, const MethodTable* methods,
      const Draining* draining, CallObserver* observer,
      Authenticator* authenticator = nullptr);
  // Once: serves from now on.
  void Serve();
  // Both at once, unobserved.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, const MethodTable* methods,
      const Draining* draining);

  // Stops as with no grace, if it has not stopped.
  ~Server();

  // What it listens on, with the ports that were chosen for port 0.
  const std::vector<std::string>& addresses() const { return addresses_; }

  // Refuses new calls, lets the open ones end for `grace` of real time, breaks
  // those that have not, and joins the threads. Blocks.
  void Stop(absl::Duration grace);

 private:
  Server(const MethodTable* methods, const Draining* draining,
         CallObserver* observer, Authenticator* authenticator);

  absl::Status Bind(const ServerOptions& options);
  void OnCall(GenericCall* call);
  // Lets the call begin, as `verdict` says who makes it.
  void Admit(const MethodTable::Method& method, Authenticator::Verdict verdict,
             GenericCall* call);

  const MethodTable* const methods_;
  const Draining* const draining_;
  CallObserver* const observer_;
  Authenticator* const authenticator_;
  const CallQueue::OnCall on_call_;
  grpc::AsyncGenericService service_;
  // Destroyed after the server, as gRPC wants it.
  std::vector<std::unique_ptr<CallQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::string> addresses_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_SERVER_H_
