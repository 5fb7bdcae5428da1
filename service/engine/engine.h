#ifndef KELPMQ_SERVICE_ENGINE_ENGINE_H_
#define KELPMQ_SERVICE_ENGINE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/base/types.h"

namespace kelpmq::service {

// The one door between the RPC layer and what keeps messages.
//
// Every call takes one params struct and one completion. The completion runs
// exactly once, on any thread, perhaps before the call returns; by then the
// effect is done and visible to every later call of any client. Calls that
// concern one queue take effect in the order in which one thread made them.
// What one request carried crosses as one call.
//
// Errors are statuses from base/error.h. An unknown vhost is VHOST_NOT_FOUND
// in every call that names one, and is not repeated below.

template <typename Result>
using Done = absl::AnyInvocable<void(absl::StatusOr<Result>)>;
using DoneStatus = absl::AnyInvocable<void(absl::Status)>;

// A queue as the engine handed it out. Stays valid (and answers that it is
// gone) after the queue was deleted; a namesake is another handle.
class QueueHandle {
 public:
  virtual ~QueueHandle() = default;
  virtual const std::string& name() const = 0;
};
using QueueRef = std::shared_ptr<QueueHandle>;

// Names a consumer within its queue; never used twice by one queue.
using ConsumerId = uint64_t;

// What a delivery's own fields (tag, flags, counts) and its framing may add to
// its message's bytes when it is encoded.
inline constexpr size_t kDeliveryOverheadBytes = 24;

// A delivery of `message`, encoded: what windows and size limits count.
inline size_t EncodedDeliveryBytes(const Message& message) {
  return message.wire().size() + kDeliveryOverheadBytes;
}

// What takes deliveries: a stream, or the lease of a Get. It *holds* what was
// delivered to it until that is settled, lost, or released.
//
// The engine calls it in the order in which things happened at each queue; for
// two queues from two threads at once. No call may block. What a sink asks of
// the engine from within a call takes effect after that call has returned.
class DeliverySink {
 public:
  virtual ~DeliverySink() = default;

  // Room for deliveries of `bytes` encoded bytes to the consumer that was
  // started with `consumer_key`: takes it for up to `wanted` of them, at least
  // one, and says for how many. 0: the consumer gets nothing more from this
  // queue until Engine::Resume names it.
  virtual uint32_t Reserve(uint32_t consumer_key, size_t bytes,
                           uint32_t wanted) = 0;
  // So much of it is not used: `count` deliveries, `bytes` together. Never
  // called if Reserve gives room for one alone.
  virtual void GiveBack(uint32_t /*consumer_key*/, uint32_t /*count*/,
                        size_t /*bytes*/) {}

  // In order of dispatch, each with room that was reserved.
  virtual void Deliver(uint32_t consumer_key,
                       std::vector<Delivery> deliveries) = 0;

  // The consumer is gone and gets nothing more. What it holds stays with the
  // sink. `required_bytes` is set for kResponseTooSmall.
  virtual void ConsumerCancelled(uint32_t consumer_key, CancelReason reason,
                                 absl::Status error,
                                 uint64_t required_bytes) = 0;

  // These deliveries are no longer held: settling them has no effect.
  virtual void DeliveriesLost(const QueueRef& queue,
                              absl::Span<const uint64_t> delivery_ids,
                              LostReason reason) = 0;

  // Answers GrantCredit with drain: all that was ready has been delivered, and
  // this much credit went unused.
  virtual void CreditDrained(uint32_t consumer_key, uint32_t unused_credit) = 0;
};
using SinkRef = std::shared_ptr<DeliverySink>;

// ---- Publishing ----

struct PublishItem {
  MessageRef message;  // carries exchange and routing key
  bool mandatory = false;
  absl::Time deliver_time = absl::InfinitePast();  // past: now
};

struct PublishParams {
  std::string vhost;
  std::vector<PublishItem> items;
};

struct PublishFailure {
  uint32_t index = 0;  // into items
  absl::Status error;
};

struct PublishResult {
  uint32_t accepted_count = 0;  // items without failure
  uint32_t unrouted_count = 0;  // of these, items that reached no queue
  uint32_t queue_count = 0;     // queues that took a copy, summed over items
  std::vector<PublishFailure> failures;  // by index, rising
  // A queue that has got more than its consumers have taken, by far; null:
  // none. A publisher may wait for Engine::WhenRelieved.
  QueueRef crowded;
};

// ---- Receiving ----

struct GetParams {
  std::string vhost;
  std::string queue;
  OwnerId owner = kNoOwner;
  SinkRef holder;  // holds the deliveries; the result delivers, not the sink
  uint32_t max_messages = 1;
  // Of encoded deliveries, together. The first may be larger, up to
  // max_first_bytes, and then comes alone.
  size_t max_bytes = SIZE_MAX;
  size_t max_first_bytes = 0;
  // Non-zero: when nothing is ready, wait for one message until EndGetWait
  // names this id. Unique per engine.
  uint64_t wait_id = 0;
};

struct GetResult {
  QueueRef queue;
  std::vector<Delivery> deliveries;
  uint64_t message_count = 0;  // ready messages left behind (GET-03)
  // Non-zero: the first message needs this many bytes and was left alone.
  uint64_t required_bytes = 0;
};

struct EndGetWaitParams {
  std::string vhost;
  std::string queue;
  uint64_t wait_id = 0;
};

struct TemporaryBinding {
  std::string exchange;
  std::string routing_key;
  Table arguments;
};

struct ConsumeParams {
  std::string vhost;
  std::string queue;
  // Set: declares a server-named exclusive auto-delete queue of `owner` with
  // these arguments, binds it and consumes it; `queue` is ignored.
  bool temporary_queue = false;
  std::string server_name;  // as that of DeclareQueueParams
  Table queue_arguments;
  std::vector<TemporaryBinding> bindings;

  OwnerId owner = kNoOwner;
  SinkRef sink;
  uint32_t consumer_key = 0;  // the sink's own name for the consumer
  std::string consumer_tag;
  bool auto_ack = false;  // prefetch does not hold it back
  bool exclusive = false;
  uint32_t prefetch_count = 0;  // 0: no limit
  uint64_t prefetch_bytes = 0;  // 0: no limit
  int32_t priority = 0;
  Table arguments;
  absl::Duration delivery_timeout = absl::ZeroDuration();  // 0: the queue's
  bool manual_credit = false;
  // The stream has a window of its own (AMQP's global prefetch): QUORUM-05.
  bool shared_prefetch = false;
  size_t max_delivery_bytes = SIZE_MAX;  // over it: kResponseTooSmall
  std::string client_name;
  std::string peer;
};

// Where a consumer is: what later calls about it need.
struct ConsumerRef {
  QueueRef queue;
  ConsumerId consumer_id = 0;
};

struct UpdateConsumerParams {
  ConsumerRef consumer;
  std::optional<uint32_t> prefetch_count;
  std::optional<uint64_t> prefetch_bytes;
  std::optional<bool> paused;
};

struct GrantCreditParams {
  ConsumerRef consumer;
  uint32_t messages = 0;
  bool drain = false;
};

// Deliveries of one queue, as rising ids.
struct QueueDeliveries {
  QueueRef queue;
  std::vector<uint64_t> delivery_ids;
};

struct SettleParams {
  SettleAction action = SettleAction::kAck;
  std::vector<QueueDeliveries> deliveries;
};

struct SettleResult {
  // Deliveries that were no longer out (queue deleted, timed out).
  std::vector<QueueDeliveries> lost;
};

struct ReleaseParams {
  SinkRef sink;
  std::vector<QueueRef> queues;  // all that the sink ever had to do with
};

// ---- Topology ----

struct DeclareExchangeParams {
  std::string vhost;
  ExchangeSpec spec;
  bool passive = false;
};
struct DeclareExchangeResult {
  ExchangeInfo exchange;
  bool created = false;
};

struct DeleteExchangeParams {
  std::string vhost;
  std::string name;
  bool if_unused = false;
};

struct DeclareQueueParams {
  std::string vhost;
  OwnerId owner = kNoOwner;
  QueueSpec spec;  // an empty name: the server makes one
  // The name that it makes then, if somebody had to know it before: of
  // MakeServerName.
  std::string server_name;
  bool passive = false;
};
struct DeclareQueueResult {
  QueueInfo queue;
  bool created = false;
};

struct DeleteQueueParams {
  std::string vhost;
  OwnerId owner = kNoOwner;
  std::string name;
  bool if_unused = false;
  bool if_empty = false;
};
struct DeleteQueueResult {
  bool deleted = false;
  uint64_t message_count = 0;  // ready ones (QDEL-02)
};

struct PurgeQueueParams {
  std::string vhost;
  OwnerId owner = kNoOwner;
  std::string name;
};

struct BindParams {
  std::string vhost;
  OwnerId owner = kNoOwner;
  BindingSpec binding;
};

struct GetExchangeParams {
  std::string vhost;
  std::string name;
};
struct GetQueueParams {
  std::string vhost;
  std::string name;
};

// One page of names greater than `after`, in order, `limit` at the most.
struct ListParams {
  std::string vhost;
  std::string after;
  std::string name_prefix;  // exchanges, queues
  uint32_t limit = 100;
  std::optional<std::string> source;       // bindings
  std::optional<std::string> destination;  // bindings
  std::optional<DestinationKind> kind;     // bindings
  std::string queue;                       // consumers: of this queue alone
};

// `next` continues the list: the `after` of the following call; empty at the
// end.
template <typename Item>
struct Page {
  std::vector<Item> items;
  std::string next;
};

// Hears of what becomes of owners' queues.
// Thread-safety: implementations are thread-safe; no call may block.
class OwnerListener {
 public:
  virtual ~OwnerListener() = default;
  // An exclusive queue of `owner` is gone, whatever the cause.
  virtual void ExclusiveQueueClosed(OwnerId owner, const std::string& queue,
                                    CancelReason reason) = 0;
};

struct EndOwnerResult {
  std::vector<std::string> deleted_queues;
};

class Engine {
 public:
  virtual ~Engine() = default;

  // "memory", "durable", ...: what GetServerInfo calls it.
  virtual std::string name() const = 0;

  // Routes and enqueues. Failures are per item: EXCHANGE_NOT_FOUND,
  // INTERNAL_EXCHANGE, NO_ROUTE (mandatory), QUEUE_FULL. `done` runs once all
  // targets have taken their messages: that moment is the publisher confirm.
  virtual void Publish(PublishParams params, Done<PublishResult> done) = 0;

  // Runs `done` once the queue is no longer crowded, or has no consumers, or is
  // gone; at once if it is so already, or too many wait for it.
  virtual void WhenRelieved(const QueueRef& queue,
                            absl::AnyInvocable<void()> done) = 0;

  // basic.get of up to max_messages. QUEUE_NOT_FOUND, RESOURCE_LOCKED;
  // QUEUE_DELETED if the queue goes while the call waits.
  virtual void Get(GetParams params, Done<GetResult> done) = 0;
  // Completes a waiting Get with no deliveries; no effect if it has completed.
  virtual void EndGetWait(EndGetWaitParams params) = 0;

  // Adds a consumer. `done` runs before the sink's first call for it.
  // QUEUE_NOT_FOUND, RESOURCE_LOCKED, CONSUMER_EXCLUSIVE,
  // INVALID_ARGUMENT_VALUE; with a temporary queue those of declare and bind.
  virtual void Consume(ConsumeParams params, Done<ConsumerRef> done) = 0;
  // The consumer takes no more; what it holds stays with the sink. The sink is
  // not told (ConsumerCancelled is for ends that the client did not ask for).
  // OK also if it has gone already.
  virtual void CancelConsumer(ConsumerRef consumer, DoneStatus done) = 0;
  virtual void UpdateConsumer(UpdateConsumerParams params, DoneStatus done) = 0;
  virtual void GrantCredit(GrantCreditParams params, DoneStatus done) = 0;
  // The sinks of these consumers have room again after a refused Reserve.
  virtual void Resume(std::vector<ConsumerRef> consumers) = 0;

  // Acks, requeues (original place, NACK-01) or discards.
  virtual void Settle(SettleParams params, Done<SettleResult> done) = 0;
  // The sink is gone: removes its consumers from all these queues, and only
  // then requeues all it holds, in place. The number requeued.
  virtual void Release(ReleaseParams params, Done<uint64_t> done) = 0;

  virtual void DeclareExchange(DeclareExchangeParams params,
                               Done<DeclareExchangeResult> done) = 0;
  virtual void DeleteExchange(DeleteExchangeParams params,
                              Done<bool> done) = 0;  // deleted?
  virtual void DeclareQueue(DeclareQueueParams params,
                            Done<DeclareQueueResult> done) = 0;
  virtual void DeleteQueue(DeleteQueueParams params,
                           Done<DeleteQueueResult> done) = 0;
  virtual void PurgeQueue(PurgeQueueParams params,
                          Done<uint64_t> done) = 0;  // messages dropped
  virtual void Bind(BindParams params, Done<bool> done) = 0;    // created?
  virtual void Unbind(BindParams params, Done<bool> done) = 0;  // deleted?

  virtual void GetExchange(GetExchangeParams params,
                           Done<ExchangeInfo> done) = 0;
  virtual void GetQueue(GetQueueParams params, Done<QueueInfo> done) = 0;
  virtual void ListExchanges(ListParams params,
                             Done<Page<ExchangeInfo>> done) = 0;
  virtual void ListQueues(ListParams params, Done<Page<QueueInfo>> done) = 0;
  virtual void ListBindings(ListParams params,
                            Done<Page<BindingSpec>> done) = 0;
  virtual void ListConsumers(ListParams params,
                             Done<Page<ConsumerInfo>> done) = 0;

  virtual void PutVhost(VhostInfo vhost, Done<bool> done) = 0;  // created?
  // Drops everything in it. The RPC layer ends its streams and sessions.
  virtual void DeleteVhost(std::string name, Done<bool> done) = 0;  // deleted?
  virtual void ListVhosts(ListParams params, Done<Page<VhostInfo>> done) = 0;
  // OK or VHOST_NOT_FOUND.
  virtual absl::Status CheckVhost(absl::string_view name) const = 0;
  // VHOST_NOT_FOUND.
  virtual absl::StatusOr<VhostInfo> FindVhost(absl::string_view name) const = 0;

  // The type of an exchange as it is now. VHOST_NOT_FOUND, EXCHANGE_NOT_FOUND.
  virtual absl::StatusOr<std::string> FindExchangeType(
      absl::string_view vhost, absl::string_view name) const = 0;
  // Whether there is such a queue now, whoever owns it.
  virtual bool HasQueue(absl::string_view vhost,
                        absl::string_view name) const = 0;

  // Creates or replaces a policy; `done` runs when it holds for all present
  // queues and exchanges. INVALID_NAME, INVALID_VALUE.
  virtual void PutPolicy(PolicyInfo policy, Done<bool> done) = 0;  // created?
  virtual void DeletePolicy(std::string vhost, std::string name,
                            Done<bool> done) = 0;  // deleted?
  // By vhost and name; those of one vhost if params names one.
  virtual void ListPolicies(ListParams params, Done<Page<PolicyInfo>> done) = 0;

  // Who hears of owners' queues from now on. Before the first call that names
  // an owner.
  virtual void SetOwnerListener(std::weak_ptr<OwnerListener> listener) = 0;
  // Deletes the exclusive queues of an owner that has ended.
  virtual void EndOwner(std::string vhost, OwnerId owner,
                        Done<EndOwnerResult> done) = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_ENGINE_H_
