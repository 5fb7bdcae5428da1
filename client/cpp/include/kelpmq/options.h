#ifndef KELPMQ_OPTIONS_H_
#define KELPMQ_OPTIONS_H_

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

namespace kelpmq {

// How long to wait before each attempt to reach the broker again. Attempt n
// waits min(max, initial * multiplier^n), less a random part of it.
struct BackoffOptions {
  absl::Duration initial = absl::Milliseconds(100);
  absl::Duration max = absl::Seconds(10);
  double multiplier = 2;  // at least 1
  // The largest part that chance takes off: 0 none, 1 all. Keeps a thousand
  // clients of a broker that restarted from coming back in the same moment.
  double jitter = 0.5;
};

// Files in PEM format, read once, when the client connects.
struct TlsOptions {
  std::string ca_file;    // empty: the system's certificates
  std::string cert_file;  // both or none: the client's own, for mutual TLS
  std::string key_file;
  // The name that the broker's certificate must have, if it is not the host of
  // the address.
  std::string server_name;
};

struct BasicCredentials {
  std::string user;
  std::string password;
};

// Gives a bearer token for each call, so that an expired one can be replaced.
// Called on any thread, also on several at once; must not block.
using TokenSource = std::function<std::string()>;

// Nothing, a user with a password, or tokens. Without TLS they can be read on
// the way.
using Credentials = std::variant<std::monostate, BasicCredentials, TokenSource>;

// Something about the connection that a program may want to log.
struct ClientEvent {
  enum class Kind {
    kDisconnected,   // a stream has broken; `status` says how
    kAttemptFailed,  // one attempt to come back; the next follows
    kReconnected,    // topology is restored; consumers and publishers go on
    kRestoreFailed,  // `resource` could not be declared again; `status`
    kQueueRenamed,   // `resource`, named by the broker, is `new_name` now
    kBlocked,        // the broker takes no messages for the moment; `status`
    kUnblocked,
    kDraining,  // the broker is about to stop
  };
  Kind kind = Kind::kDisconnected;
  absl::Status status;
  std::string resource;
  std::string new_name;
};

// Runs what it is given, later, on a thread of its choice. It decides how many
// run at once and in which order: one thread, or a strand, keeps the order of
// deliveries.
using Executor = std::function<void(absl::AnyInvocable<void()>)>;

struct ClientOptions {
  // "host:port", "host" (port 50672) or "unix:/path".
  std::string address = "127.0.0.1:50672";
  // Empty: the broker's default virtual host, "/".
  std::string vhost;
  std::optional<TlsOptions> tls;
  Credentials credentials;
  // How the broker's lists call this program.
  std::string client_name;

  // Longest time for the broker to answer a call that blocks.
  absl::Duration call_timeout = absl::Seconds(10);
  // Longest time for one attempt to connect.
  absl::Duration connect_timeout = absl::Seconds(5);
  BackoffOptions backoff;

  // Where the handlers of consumers run. Empty: on the client's polling
  // thread, which costs no hop; then a handler that blocks holds up
  // everything else of this client.
  Executor executor;
  // Called on the polling thread; must not block.
  std::function<void(const ClientEvent&)> on_event;
};

}  // namespace kelpmq

#endif  // KELPMQ_OPTIONS_H_
