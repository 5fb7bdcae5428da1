#include "service/observation.h"

#include <algorithm>
#include <future>
#include <utility>

#include "service/http/prometheus_text.h"

namespace kelpmq::service {
namespace {

constexpr uint32_t kPageSize = 1000;

// All pages of a list of the engine's; what it has until an error.
template <typename Item>
std::vector<Item> ListAll(Engine* engine,
                          void (Engine::*list)(ListParams params,
                                               Done<Page<Item>> done),
                          const std::string& vhost) {
  std::vector<Item> all;
  std::string after;
  do {
    ListParams params;
    params.vhost = vhost;
    params.after = std::move(after);
    params.limit = kPageSize;
    std::promise<absl::StatusOr<Page<Item>>> answer;
    (engine->*list)(std::move(params),
                    [&answer](absl::StatusOr<Page<Item>> page) {
                      answer.set_value(std::move(page));
                    });
    absl::StatusOr<Page<Item>> page = answer.get_future().get();
    if (!page.ok()) break;  // the vhost has just been deleted
    std::move(page->items.begin(), page->items.end(), std::back_inserter(all));
    after = std::move(page->next);
  } while (!after.empty());
  return all;
}

HttpResponse Plain(int status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(text) + "\n";
  return response;
}

HttpResponse PageOf(std::string metrics) {
  HttpResponse response;
  response.content_type = std::string(PrometheusText::kContentType);
  response.body = std::move(metrics);
  return response;
}

}  // namespace

HttpResponse Observation::Handle(const HttpRequest& request) const {
  if (request.path == "/healthz") return Plain(200, "ok");
  if (request.path == "/readyz") return Ready();
  if (request.path == "/metrics") return Metrics();
  if (request.path == "/metrics/per-object") return PerObject();
  if (request.path == "/metrics/detailed") return Detailed(request);
  return Plain(404,
               "no such page; there are /healthz, /readyz, /metrics, "
               "/metrics/per-object and /metrics/detailed");
}

HttpResponse Observation::Ready() const {
  if (sources_.draining->started()) return Plain(503, "draining");
  if (!serving_.load(std::memory_order_acquire)) return Plain(503, "starting");
  return Plain(200, "ready");
}

HttpResponse Observation::Metrics() const {
  return PageOf(BrokerMetrics(Read(QueuesOf(VhostNames()))));
}

HttpResponse Observation::PerObject() const {
  return PageOf(
      QueueMetrics(QueuesOf(VhostNames()), QueueFamilies(), "rabbitmq_"));
}

HttpResponse Observation::Detailed(const HttpRequest& request) const {
  QueueFamilies families{false, false, false};
  if (auto named = request.query.find("family"); named != request.query.end()) {
    for (const std::string& family : named->second) {
      if (family == "queue_coarse_metrics") {
        families.counts = true;
      } else if (family == "queue_metrics") {
        families.bytes = true;
      } else if (family == "queue_consumer_count") {
        families.consumers = true;
      }
    }
  }
  const auto vhosts = request.query.find("vhost");
  return PageOf(QueueMetrics(
      QueuesOf(vhosts == request.query.end() ? VhostNames() : vhosts->second),
      families, "rabbitmq_detailed_"));
}

std::vector<std::string> Observation::VhostNames() const {
  std::vector<std::string> names;
  for (VhostInfo& vhost :
       ListAll<VhostInfo>(sources_.engine, &Engine::ListVhosts, "")) {
    names.push_back(std::move(vhost.name));
  }
  return names;
}

std::vector<QueueReading> Observation::QueuesOf(
    const std::vector<std::string>& vhosts) const {
  std::vector<QueueReading> queues;
  for (const std::string& vhost : vhosts) {
    for (QueueInfo& queue :
         ListAll<QueueInfo>(sources_.engine, &Engine::ListQueues, vhost)) {
      queues.push_back({vhost, std::move(queue.spec.name), queue.messages_ready,
                        queue.messages_unacked, queue.message_bytes,
                        queue.consumer_count});
    }
  }
  return queues;
}

BrokerReading Observation::Read(const std::vector<QueueReading>& queues) const {
  BrokerReading reading;
  reading.version = sources_.version;
  reading.node_id = sources_.node_id;
  reading.engine = sources_.engine->name();
  reading.uptime = sources_.clock->Now() - sources_.start_time;
  reading.draining = sources_.draining->started();

  const Traffic& traffic = *sources_.traffic;
  reading.traffic.received = traffic.received.value();
  reading.traffic.received_confirm = traffic.received_confirm.value();
  reading.traffic.confirmed = traffic.confirmed.value();
  reading.traffic.routed = traffic.routed.value();
  reading.traffic.unroutable_dropped = traffic.unroutable_dropped.value();
  reading.traffic.unroutable_returned = traffic.unroutable_returned.value();
  reading.traffic.delivered_manual_ack = traffic.delivered_manual_ack.value();
  reading.traffic.delivered_auto_ack = traffic.delivered_auto_ack.value();
  reading.traffic.got_manual_ack = traffic.got_manual_ack.value();
  reading.traffic.got_auto_ack = traffic.got_auto_ack.value();
  reading.traffic.got_nothing = traffic.got_nothing.value();
  reading.traffic.redelivered = traffic.redelivered.value();
  reading.traffic.acknowledged = traffic.acknowledged.value();

  for (const auto& [rpc, counts] : sources_.calls->streams()) {
    // In this order: what is closed was opened.
    const uint64_t closed = counts.closed.value();
    reading.streams.push_back({rpc, counts.opened.value(), closed});
  }
  reading.failed_calls = sources_.calls->failed_calls().value();
  reading.sessions = sources_.sessions->count();
  reading.sessions_opened =
      std::max(reading.sessions, sources_.sessions->opened_count());

  reading.queue_count = queues.size();
  for (const QueueReading& queue : queues) {
    reading.all_queues.messages_ready += queue.messages_ready;
    reading.all_queues.messages_unacked += queue.messages_unacked;
    reading.all_queues.message_bytes += queue.message_bytes;
    reading.all_queues.consumers += queue.consumers;
  }

  const ProcessMemory::Usage usage = sources_.process->Read();
  reading.memory_used_bytes = usage.own_bytes;
  reading.memory_resident_bytes = usage.resident_bytes;
  reading.memory_limit_bytes = sources_.memory->marks().limit_bytes;
  reading.memory_high_bytes = sources_.memory->marks().high_bytes;
  reading.memory_alarm = sources_.memory->on();
  reading.memory_alarms_raised = sources_.memory->raised_count();
  return reading;
}

}  // namespace kelpmq::service
