#ifndef KELPMQ_TOPOLOGY_H_
#define KELPMQ_TOPOLOGY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kelpmq/v1/topology.pb.h"
#include "kelpmq/value.h"

namespace kelpmq {

// Whether the client declares it again after a reconnect, before consumers go
// on. What was deleted or unbound through the same client is forgotten.
enum class Restore { kNo, kYes };

struct ExchangeSpec {
  std::string name;
  std::string type = "direct";
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;  // takes messages from other exchanges only
  std::string alternate_exchange;
  Table arguments;
  Restore restore = Restore::kYes;
};

struct QueueSpec {
  // Empty: the broker makes a name, which is in the reply. After a reconnect
  // it makes another one (ClientEvent::Kind::kQueueRenamed); consumers and
  // bindings of this client follow.
  std::string name;
  bool durable = false;
  // For this client alone; gone when it disconnects. Opens a session.
  bool exclusive = false;
  bool auto_delete = false;
  v1::QueueOptions options;  // lengths, times to live, dead letters, ...
  Table arguments;
  Restore restore = Restore::kYes;
};

struct BindingSpec {
  std::string source;       // an exchange
  std::string destination;  // a queue, or an exchange with BindExchange
  std::string routing_key;
  Table arguments;
  Restore restore = Restore::kYes;
};

// Exchanges, queues and bindings of the client's virtual host.
//
// Every function blocks until the broker has answered or call_timeout is over,
// and may be called on any thread; on the polling thread it holds up the
// client. Errors are the broker's, with its reasons (error.h): for example
// kNotFound QUEUE_NOT_FOUND, kFailedPrecondition INEQUIVALENT_ARGUMENT,
// kPermissionDenied RESERVED_NAME. kUnavailable without a reason: no broker
// was reached; after kDeadlineExceeded nobody knows.
// Thread-safety: thread-safe. Owned by the Client.
class Topology {
 public:
  virtual ~Topology() = default;

  // Declaring again what is there, with equal properties, succeeds.
  virtual absl::StatusOr<v1::Exchange> DeclareExchange(
      const ExchangeSpec& spec) = 0;
  virtual absl::StatusOr<v1::Queue> DeclareQueue(const QueueSpec& spec) = 0;
  // With all else as by default.
  absl::StatusOr<v1::Queue> DeclareQueue(std::string name) {
    QueueSpec spec;
    spec.name = std::move(name);
    return DeclareQueue(spec);
  }
  virtual absl::Status BindQueue(const BindingSpec& spec) = 0;
  virtual absl::Status BindExchange(const BindingSpec& spec) = 0;

  // Deleting and unbinding what is not there succeeds.
  enum class IfUnused { kNo, kYes };
  enum class IfEmpty { kNo, kYes };
  virtual absl::Status DeleteExchange(const std::string& name,
                                      IfUnused if_unused = IfUnused::kNo) = 0;
  // Gives the number of ready messages that went with it.
  virtual absl::StatusOr<uint64_t> DeleteQueue(
      const std::string& name, IfUnused if_unused = IfUnused::kNo,
      IfEmpty if_empty = IfEmpty::kNo) = 0;
  virtual absl::Status UnbindQueue(const BindingSpec& spec) = 0;
  virtual absl::Status UnbindExchange(const BindingSpec& spec) = 0;
  // Drops the ready messages, and gives their number.
  virtual absl::StatusOr<uint64_t> PurgeQueue(const std::string& name) = 0;

  virtual absl::StatusOr<v1::Exchange> GetExchange(const std::string& name) = 0;
  virtual absl::StatusOr<v1::Queue> GetQueue(const std::string& name) = 0;

  // Everything of the virtual host, in as many calls as it takes; for large
  // ones filter by prefix.
  virtual absl::StatusOr<std::vector<v1::Exchange>> ListExchanges(
      const std::string& name_prefix = "") = 0;
  virtual absl::StatusOr<std::vector<v1::Queue>> ListQueues(
      const std::string& name_prefix = "") = 0;
  struct BindingFilter {
    std::optional<std::string> source;
    std::optional<std::string> destination;
    v1::DestinationType destination_type = v1::DESTINATION_TYPE_UNSPECIFIED;
  };
  virtual absl::StatusOr<std::vector<v1::Binding>> ListBindings(
      const BindingFilter& filter) = 0;
  absl::StatusOr<std::vector<v1::Binding>> ListBindings() {
    return ListBindings(BindingFilter());
  }
  // Those of one queue, or of all if `queue` is empty.
  virtual absl::StatusOr<std::vector<v1::ConsumerInfo>> ListConsumers(
      const std::string& queue = "") = 0;
};

}  // namespace kelpmq

#endif  // KELPMQ_TOPOLOGY_H_
