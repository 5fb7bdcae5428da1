#ifndef KELPMQ_SERVICE_QUEUE_QUEUE_ARGUMENTS_H_
#define KELPMQ_SERVICE_QUEUE_QUEUE_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/types.h"
#include "service/queue/delayed_returns.h"

namespace kelpmq::service {

// What a queue's arguments mean, and which are refused. Pure functions; `vhost`
// serves error texts alone.

enum class QueueType { kClassic, kQuorum };
enum class Overflow { kDropHead, kRejectPublish, kRejectPublishDlx };
enum class DeadLetterStrategy { kAtMostOnce, kAtLeastOnce };

struct QueueArguments {
  QueueType type = QueueType::kClassic;
  std::optional<absl::Duration> message_ttl;
  std::optional<absl::Duration> expires;  // > 0
  std::optional<uint64_t> max_length;
  std::optional<uint64_t> max_length_bytes;
  Overflow overflow = Overflow::kDropHead;
  std::optional<std::string> dead_letter_exchange;  // may be ""
  std::optional<std::string> dead_letter_routing_key;
  DeadLetterStrategy dead_letter_strategy = DeadLetterStrategy::kAtMostOnce;
  std::optional<uint8_t> max_priority;  // classic queues alone
  bool single_active_consumer = false;
  bool deduplicates = false;  // PLUG-07; classic queues alone
  // Negative: none. Unset: that of the queue's type (DeliveryLimitOf).
  std::optional<int64_t> delivery_limit;
  RetryDelay retry_delay;  // quorum queues alone
  // How long a delivery may stay unsettled (LIMIT-05).
  absl::Duration consumer_timeout = absl::InfiniteDuration();
};

// How often a message may come back (QUORUM-03): as RabbitMQ 4 has it, 20 times
// in a quorum queue that does not say; nullopt is without limit.
std::optional<uint64_t> DeliveryLimitOf(const QueueArguments& arguments);

// Whether dead letters are kept until they have a route and room: it takes a
// quorum queue that refuses what it has no room for (DLX-17).
bool KeepsDeadLetters(const QueueArguments& arguments);

// 1 to kMaxNameBytes bytes of UTF-8, no `amq.` prefix.
//   INVALID_NAME, RESERVED_NAME (QNAME-03)
absl::Status CheckQueueName(absl::string_view name);

// Reads and checks the arguments, and the properties that a quorum queue must
// have (ARGS-01, ARGS-02, QUORUM-01). Unknown arguments are passed over.
//   INVALID_ARGUMENT_VALUE, metadata `argument`; FEATURE_UNSUPPORTED for
//   streams
absl::StatusOr<QueueArguments> ParseQueueArguments(const QueueSpec& spec,
                                                   absl::string_view vhost);

// An exclusive queue is never durable: the declare says so on both sides of
// every comparison.
void NormalizeQueueSpec(QueueSpec* spec);

// Whether redeclaring the queue `current` as `received` is equal (QDECL-02).
// Both are normalised; `received` need not be valid. Does not look at owners:
// Queue::CheckAccess comes first.
//   RESOURCE_LOCKED (other exclusive flag), INEQUIVALENT_ARGUMENT with
//   metadata `argument`, `received`, `current`
absl::Status CheckEquivalent(const QueueSpec& current,
                             const QueueSpec& received,
                             absl::string_view vhost);

// QLIFE-01.
absl::Status ResourceLockedError(absl::string_view queue,
                                 absl::string_view vhost);

// A consumer's priority: `priority` or the argument x-priority (PRIOC-01).
//   INVALID_ARGUMENT_VALUE (PRIOC-02); CONFLICTING_ARGUMENT if both are given
//   and differ
absl::StatusOr<int64_t> ConsumerPriority(int32_t priority,
                                         const Table& arguments,
                                         absl::string_view queue,
                                         absl::string_view vhost);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_QUEUE_ARGUMENTS_H_
