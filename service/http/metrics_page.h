#ifndef KELPMQ_SERVICE_HTTP_METRICS_PAGE_H_
#define KELPMQ_SERVICE_HTTP_METRICS_PAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace kelpmq::service {

// What one queue holds.
struct QueueReading {
  std::string vhost;
  std::string name;
  uint64_t messages_ready = 0;
  uint64_t messages_unacked = 0;
  uint64_t message_bytes = 0;
  uint64_t consumers = 0;
};

// Counts since the start, as rpc/traffic.h keeps them.
struct TrafficReading {
  uint64_t received = 0;
  uint64_t received_confirm = 0;
  uint64_t confirmed = 0;
  uint64_t routed = 0;
  uint64_t unroutable_dropped = 0;
  uint64_t unroutable_returned = 0;
  uint64_t delivered_manual_ack = 0;
  uint64_t delivered_auto_ack = 0;
  uint64_t got_manual_ack = 0;
  uint64_t got_auto_ack = 0;
  uint64_t got_nothing = 0;
  uint64_t redelivered = 0;
  uint64_t acknowledged = 0;
};

// Streams of one RPC.
struct StreamReading {
  std::string rpc;  // "PublishStream"
  uint64_t opened = 0;
  uint64_t closed = 0;
};

struct BrokerReading {
  std::string version;
  std::string node_id;
  std::string engine;
  absl::Duration uptime;
  bool draining = false;

  TrafficReading traffic;
  std::vector<StreamReading> streams;
  uint64_t sessions = 0;
  uint64_t sessions_opened = 0;
  uint64_t failed_calls = 0;

  uint64_t vhosts = 0;
  uint64_t queue_count = 0;
  QueueReading all_queues;  // summed up; no names

  uint64_t memory_used_bytes = 0;
  uint64_t memory_resident_bytes = 0;
  uint64_t memory_limit_bytes = 0;
  uint64_t memory_high_bytes = 0;
  bool memory_alarm = false;
  uint64_t memory_alarms_raised = 0;
};

// The page of the whole broker: its size does not depend on what it holds.
std::string BrokerMetrics(const BrokerReading& reading);

// What a page about single queues tells: RabbitMQ's families of those names.
struct QueueFamilies {
  bool counts = true;     // queue_coarse_metrics
  bool bytes = true;      // queue_metrics
  bool consumers = true;  // queue_consumer_count
};
// Metrics of each queue, named with this prefix: "rabbitmq_" of
// /metrics/per-object, "rabbitmq_detailed_" of /metrics/detailed.
std::string QueueMetrics(const std::vector<QueueReading>& queues,
                         const QueueFamilies& families,
                         absl::string_view prefix);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_HTTP_METRICS_PAGE_H_
