#include "service/http/metrics_page.h"

#include "absl/strings/str_cat.h"
#include "service/http/prometheus_text.h"

namespace kelpmq::service {
namespace {

// RabbitMQ tells protocols apart; this broker has one.
constexpr char kProtocol[] = "kelpmq";

void AddIdentity(const BrokerReading& reading, PrometheusText* page) {
  page->Gauge("rabbitmq_build_info", "Version of the broker");
  page->Sample(
      1, {{"product_name", "KelpMQ"}, {"product_version", reading.version}});
  page->Gauge("rabbitmq_identity_info", "Which node this is");
  page->Sample(1, {{"rabbitmq_node", reading.node_id},
                   {"rabbitmq_cluster", reading.node_id}});
  page->Gauge("kelpmq_engine_info", "What keeps the messages");
  page->Sample(1, {{"engine", reading.engine}});
  page->Gauge("kelpmq_uptime_seconds", "Time since the start");
  page->Sample(static_cast<uint64_t>(absl::ToInt64Seconds(reading.uptime)));
  page->Gauge("kelpmq_draining", "1 once the broker has been told to stop");
  page->Sample(reading.draining ? 1 : 0);
}

void AddTraffic(const TrafficReading& traffic, PrometheusText* page) {
  const auto add = [page](absl::string_view name, absl::string_view help,
                          uint64_t value) {
    page->Counter(absl::StrCat("rabbitmq_global_", name), help);
    page->Sample(value, {{"protocol", kProtocol}});
  };
  add("messages_received_total", "Messages received from publishers",
      traffic.received);
  add("messages_received_confirm_total",
      "Messages received from publishers that want confirms",
      traffic.received_confirm);
  add("messages_confirmed_total", "Messages confirmed to publishers",
      traffic.confirmed);
  add("messages_routed_total", "Copies of messages that queues took",
      traffic.routed);
  add("messages_unroutable_dropped_total",
      "Messages that were not mandatory and reached no queue",
      traffic.unroutable_dropped);
  add("messages_unroutable_returned_total",
      "Mandatory messages that reached no queue", traffic.unroutable_returned);
  add("messages_delivered_total", "Messages delivered to consumers and gets",
      traffic.delivered_manual_ack + traffic.delivered_auto_ack +
          traffic.got_manual_ack + traffic.got_auto_ack);
  add("messages_delivered_consume_manual_ack_total",
      "Messages delivered to consumers that acknowledge",
      traffic.delivered_manual_ack);
  add("messages_delivered_consume_auto_ack_total",
      "Messages delivered to consumers that do not acknowledge",
      traffic.delivered_auto_ack);
  add("messages_delivered_get_manual_ack_total",
      "Messages got, to be acknowledged", traffic.got_manual_ack);
  add("messages_delivered_get_auto_ack_total",
      "Messages got, not to be acknowledged", traffic.got_auto_ack);
  add("messages_get_empty_total", "Gets that found nothing",
      traffic.got_nothing);
  add("messages_redelivered_total",
      "Messages delivered that had been delivered before", traffic.redelivered);
  add("messages_acknowledged_total", "Messages acknowledged",
      traffic.acknowledged);
}

void AddClients(const BrokerReading& reading, PrometheusText* page) {
  page->Gauge("rabbitmq_connections", "Open sessions");
  page->Sample(reading.sessions);
  page->Counter("rabbitmq_connections_opened_total", "Sessions opened");
  page->Sample(reading.sessions_opened);
  page->Counter("rabbitmq_connections_closed_total", "Sessions ended");
  page->Sample(reading.sessions_opened - reading.sessions);

  uint64_t opened = 0;
  uint64_t closed = 0;
  page->Gauge("kelpmq_streams", "Open streams");
  for (const StreamReading& stream : reading.streams) {
    page->Sample(stream.opened - stream.closed, {{"rpc", stream.rpc}});
    // Watching a session is no channel.
    if (stream.rpc == "WatchSession") continue;
    opened += stream.opened;
    closed += stream.closed;
  }
  page->Gauge("rabbitmq_channels", "Open streams that publish or receive");
  page->Sample(opened - closed);
  page->Counter("rabbitmq_channels_opened_total",
                "Streams opened that publish or receive");
  page->Sample(opened);
  page->Counter("rabbitmq_channels_closed_total",
                "Streams ended that published or received");
  page->Sample(closed);
  page->Counter("kelpmq_calls_failed_total",
                "Calls that ended with an error, the client's or ours");
  page->Sample(reading.failed_calls);
}

void AddQueues(const BrokerReading& reading, PrometheusText* page) {
  const auto add = [page](absl::string_view name, absl::string_view help,
                          uint64_t value) {
    page->Gauge(name, help);
    page->Sample(value);
  };
  const QueueReading& all = reading.all_queues;
  add("kelpmq_vhosts", "Virtual hosts", reading.vhosts);
  add("rabbitmq_queues", "Queues", reading.queue_count);
  add("rabbitmq_consumers", "Consumers", all.consumers);
  add("rabbitmq_queue_consumers", "Consumers, summed over queues",
      all.consumers);
  add("rabbitmq_queue_messages_ready", "Messages that wait for a consumer",
      all.messages_ready);
  add("rabbitmq_queue_messages_unacked",
      "Messages delivered and not yet settled", all.messages_unacked);
  add("rabbitmq_queue_messages", "Messages, ready and unacknowledged",
      all.messages_ready + all.messages_unacked);
  add("rabbitmq_queue_messages_bytes", "Bodies of all messages, in bytes",
      all.message_bytes);
}

void AddMemory(const BrokerReading& reading, PrometheusText* page) {
  const auto add = [page](absl::string_view name, absl::string_view help,
                          uint64_t value) {
    page->Gauge(name, help);
    page->Sample(value);
  };
  add("rabbitmq_process_resident_memory_bytes",
      "Memory of the process, pages of its program included",
      reading.memory_resident_bytes);
  add("rabbitmq_resident_memory_limit_bytes",
      "Memory above which publishers are held back; 0: there is no mark",
      reading.memory_high_bytes);
  add("rabbitmq_alarms_memory_used_watermark",
      "1 while publishers are held back for want of memory",
      reading.memory_alarm ? 1 : 0);
  add("kelpmq_memory_used_bytes",
      "Memory of the process that the system cannot have back at will",
      reading.memory_used_bytes);
  add("kelpmq_memory_limit_bytes",
      "Memory that the process may have, of its container or the machine",
      reading.memory_limit_bytes);
  page->Counter("kelpmq_memory_alarms_total",
                "How often the memory alarm has gone on");
  page->Sample(reading.memory_alarms_raised);
}

}  // namespace

std::string BrokerMetrics(const BrokerReading& reading) {
  PrometheusText page;
  AddIdentity(reading, &page);
  AddTraffic(reading.traffic, &page);
  AddClients(reading, &page);
  AddQueues(reading, &page);
  AddMemory(reading, &page);
  return page.Take();
}

std::string QueueMetrics(const std::vector<QueueReading>& queues,
                         const QueueFamilies& families,
                         absl::string_view prefix) {
  PrometheusText page;
  const auto add = [&](absl::string_view name, absl::string_view help,
                       uint64_t (*value)(const QueueReading&)) {
    page.Gauge(absl::StrCat(prefix, name), help);
    for (const QueueReading& queue : queues) {
      page.Sample(value(queue),
                  {{"vhost", queue.vhost}, {"queue", queue.name}});
    }
  };
  if (families.counts) {
    add("queue_messages_ready", "Messages that wait for a consumer",
        [](const QueueReading& queue) { return queue.messages_ready; });
    add("queue_messages_unacked", "Messages delivered and not yet settled",
        [](const QueueReading& queue) { return queue.messages_unacked; });
    add("queue_messages", "Messages, ready and unacknowledged",
        [](const QueueReading& queue) {
          return queue.messages_ready + queue.messages_unacked;
        });
  }
  if (families.bytes) {
    add("queue_messages_bytes", "Bodies of all messages, in bytes",
        [](const QueueReading& queue) { return queue.message_bytes; });
  }
  if (families.consumers) {
    add("queue_consumers", "Consumers",
        [](const QueueReading& queue) { return queue.consumers; });
  }
  return page.Take();
}

}  // namespace kelpmq::service
