#ifndef KELPMQ_SERVICE_BASE_TYPES_H_
#define KELPMQ_SERVICE_BASE_TYPES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/message.h"
#include "service/base/value.h"

namespace kelpmq::service {

// Who may use an exclusive queue: a session, or a stream without one.
// kNoOwner: a caller that owns nothing.
using OwnerId = uint64_t;
inline constexpr OwnerId kNoOwner = 0;

// AMQP's shortstr: names, routing keys, consumer tags (LIMIT-01).
inline constexpr size_t kMaxNameBytes = 255;

// The longest time to live of a message or a queue, in milliseconds: ten years,
// as in RabbitMQ (TTL-05, ARGS-01).
inline constexpr int64_t kMaxExpiryMs = 315'360'000'000;

struct ExchangeSpec {
  std::string name;
  std::string type;  // "direct", "fanout", "topic", "headers"
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  Table arguments;  // "alternate-exchange" among them
};

struct QueueSpec {
  std::string name;
  bool durable = false;
  bool exclusive = false;
  bool auto_delete = false;
  Table arguments;
};

enum class DestinationKind { kQueue, kExchange };

// A binding's identity is all of its fields (BIND-03).
struct BindingSpec {
  std::string source;  // an exchange
  DestinationKind kind = DestinationKind::kQueue;
  std::string destination;
  std::string routing_key;
  Table arguments;
  bool operator==(const BindingSpec& o) const {
    return source == o.source && kind == o.kind &&
           destination == o.destination && routing_key == o.routing_key &&
           arguments == o.arguments;
  }
};

// What an exchange routes to: a queue, of which routing knows no more than
// this. Owned through std::shared_ptr.
class RouteTarget {
 public:
  virtual ~RouteTarget() = default;
};

// A message on its way to one consumer or get.
struct Delivery {
  // Names this delivery within its queue: grows by one with each delivery the
  // queue makes and is never used again, so that a late settle cannot touch a
  // redelivery of the same message.
  uint64_t delivery_id = 0;
  // Earlier deliveries that ended without ack; the message is `redelivered`
  // if there were any.
  uint32_t delivery_count = 0;
  MessageRef message;
};

enum class SettleAction { kAck, kRequeue, kDiscard };

// Why a consumer ended. Values as kelpmq.v1.CancelReason.
enum class CancelReason {
  kClientRequest = 1,
  kStartFailed = 2,
  kQueueDeleted = 3,
  kQueueExpired = 4,
  kAccessRevoked = 5,
  kResponseTooSmall = 6,
  kUpstreamLost = 7,
  kAdmin = 8,
};

// Why a delivery can no longer be settled. Values as kelpmq.v1.LostReason.
enum class LostReason {
  kDeliveryTimeout = 1,
  kQueueDeleted = 2,
  kUpstreamLost = 3,
  kAdmin = 4,
};

struct ExchangeInfo {
  ExchangeSpec spec;
};

struct QueueInfo {
  QueueSpec spec;
  uint64_t messages_ready = 0;
  uint64_t messages_unacked = 0;
  uint64_t message_bytes = 0;  // bodies of both
  uint32_t consumer_count = 0;
  OwnerId owner = kNoOwner;
  absl::Time idle_since = absl::InfinitePast();  // past: in use
};

struct ConsumerInfo {
  std::string queue;
  std::string consumer_tag;
  bool auto_ack = false;
  bool exclusive = false;
  uint32_t prefetch_count = 0;
  uint64_t unacked_count = 0;
  bool active = true;  // false: waits behind a single active consumer
  int32_t priority = 0;
  Table arguments;
  std::string client_name;
  std::string peer;
};

struct VhostInfo {
  std::string name;
  std::string description;
  std::vector<std::string> tags;
  std::string default_queue_type;  // empty: classic
  // Unset: no limit (VHOST-05).
  std::optional<uint64_t> max_queues = std::nullopt;
  std::optional<uint64_t> max_connections = std::nullopt;  // sessions
};

// What a policy applies to. Values as kelpmq.v1.PolicyTarget.
enum class PolicyTarget {
  kAll = 1,
  kQueues = 2,
  kExchanges = 3,
  kClassicQueues = 4,
  kQuorumQueues = 5,
  kStreams = 6,
};

struct PolicyInfo {
  std::string vhost;
  std::string name;
  std::string pattern;  // an unanchored regular expression (POLICY-07)
  PolicyTarget apply_to = PolicyTarget::kAll;
  int32_t priority = 0;
  Table definition;  // argument names without "x-"
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_TYPES_H_
