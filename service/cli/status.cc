// `status`.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/pages.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

using Json = nlohmann::ordered_json;

struct StatusFlags {
  ClientFlags client;
};

// What one vhost holds.
struct VhostCounts {
  std::string name;
  uint64_t exchanges = 0;
  uint64_t queues = 0;
  uint64_t consumers = 0;
  uint64_t messages_ready = 0;
  uint64_t messages_unacked = 0;
};

absl::StatusOr<VhostCounts> CountVhost(const std::string& vhost,
                                       Connection* connection) {
  VhostCounts counts;
  counts.name = vhost;
  v1::ListExchangesRequest list_exchanges;
  list_exchanges.set_vhost(vhost);
  const auto exchanges = FetchExchanges(connection, list_exchanges);
  if (!exchanges.ok()) return exchanges.status();
  counts.exchanges = exchanges->size();

  v1::ListQueuesRequest list_queues;
  list_queues.set_vhost(vhost);
  const auto queues = FetchQueues(connection, list_queues);
  if (!queues.ok()) return queues.status();
  counts.queues = queues->size();
  for (const v1::Queue& queue : *queues) {
    counts.consumers += queue.consumer_count();
    counts.messages_ready += queue.messages_ready();
    counts.messages_unacked += queue.messages_unacked();
  }
  return counts;
}

// The vhosts to count: the one that was asked for, else all; the default one
// for a user who may not list them.
absl::StatusOr<std::vector<VhostCounts>> CountVhosts(Connection* connection) {
  std::vector<std::string> names;
  if (connection->vhost().empty()) {
    const absl::StatusOr<std::vector<v1::Vhost>> vhosts =
        FetchVhosts(connection);
    if (vhosts.ok()) {
      for (const v1::Vhost& vhost : *vhosts) names.push_back(vhost.name());
    } else if (ReasonOf(vhosts.status()) == "ACCESS_REFUSED") {
      names.emplace_back(connection->vhost_name());
    } else {
      return vhosts.status();
    }
  } else {
    names.push_back(connection->vhost());
  }
  std::vector<VhostCounts> all;
  for (const std::string& name : names) {
    absl::StatusOr<VhostCounts> counts = CountVhost(name, connection);
    // Deleted since it was listed, or closed to this user.
    const std::string reason = ReasonOf(counts.status());
    const bool is_none_of_ours =
        reason == "VHOST_NOT_FOUND" || reason == "VHOST_ACCESS_REFUSED";
    if (is_none_of_ours && connection->vhost().empty()) continue;
    if (!counts.ok()) return counts.status();
    all.push_back(*std::move(counts));
  }
  return all;
}

absl::Time StartOf(const v1::GetServerInfoResponse& server) {
  return absl::FromUnixSeconds(server.start_time().seconds());
}

Json JsonOf(const v1::GetServerInfoResponse& server,
            const std::vector<VhostCounts>& vhosts, const Target& target) {
  const v1::Limits& limits = server.limits();
  Json json;
  json["address"] = target.address;
  json["version"] = server.version();
  json["engine"] = server.engine();
  json["node_id"] = server.node_id();
  json["api_revision"] = server.api_revision();
  json["start_time"] = absl::FormatTime(StartOf(server), absl::UTCTimeZone());
  json["features"] = Json::array();
  for (const std::string& feature : server.features()) {
    json["features"].push_back(feature);
  }
  json["limits"]["max_message_bytes"] = limits.max_message_bytes();
  json["limits"]["max_request_bytes"] = limits.max_request_bytes();
  json["limits"]["max_header_bytes"] = limits.max_header_bytes();
  json["limits"]["max_header_depth"] = limits.max_header_depth();
  json["limits"]["max_batch_items"] = limits.max_batch_items();
  json["limits"]["max_unacked_per_stream"] = limits.max_unacked_per_stream();
  json["limits"]["max_consumers_per_stream"] =
      limits.max_consumers_per_stream();
  if (server.has_memory()) {
    const v1::MemoryStatus& memory = server.memory();
    json["memory"]["limit_bytes"] = memory.limit_bytes();
    json["memory"]["high_watermark_bytes"] = memory.high_watermark_bytes();
    json["memory"]["used_bytes"] = memory.used_bytes();
    json["memory"]["alarm"] = memory.alarm();
  }
  json["vhosts"] = Json::array();
  for (const VhostCounts& counts : vhosts) {
    Json vhost;
    vhost["name"] = counts.name;
    vhost["exchanges"] = counts.exchanges;
    vhost["queues"] = counts.queues;
    vhost["consumers"] = counts.consumers;
    vhost["messages_ready"] = counts.messages_ready;
    vhost["messages_unacked"] = counts.messages_unacked;
    json["vhosts"].push_back(std::move(vhost));
  }
  return json;
}

// "14 MB of 4,000 MB; publishers are held back above 2,400 MB".
std::string MemoryLine(const v1::MemoryStatus& memory) {
  constexpr uint64_t kMegabyte = 1'000'000;
  const auto megabytes = [](uint64_t bytes) {
    return absl::StrCat(Grouped((bytes + kMegabyte - 1) / kMegabyte), " MB");
  };
  std::string line = absl::StrCat(megabytes(memory.used_bytes()), " of ",
                                  megabytes(memory.limit_bytes()));
  if (memory.alarm()) {
    absl::StrAppend(&line, "; ALARM: publishers are held back, above ",
                    megabytes(memory.high_watermark_bytes()));
  } else if (memory.high_watermark_bytes() > 0) {
    absl::StrAppend(&line, "; publishers are held back above ",
                    megabytes(memory.high_watermark_bytes()));
  }
  return line;
}

void PrintText(const v1::GetServerInfoResponse& server,
               const std::vector<VhostCounts>& vhosts, const Target& target,
               Output* output) {
  const RealClock clock;
  const absl::Duration uptime =
      absl::Trunc(clock.Now() - StartOf(server), absl::Seconds(1));
  const v1::Limits& limits = server.limits();
  output->PrintLine(absl::StrCat("KelpMQ ", OneLine(server.version()), " at ",
                                 OneLine(target.address)));
  output->PrintLine(absl::StrCat("engine    ", OneLine(server.engine())));
  output->PrintLine(absl::StrCat("node      ", OneLine(server.node_id())));
  output->PrintLine(absl::StrCat("up        ", absl::FormatDuration(uptime)));
  output->PrintLine(absl::StrCat(
      "limits    a message ", Grouped(limits.max_message_bytes()),
      " bytes, a request ", Grouped(limits.max_request_bytes()),
      " bytes, a batch ", Grouped(limits.max_batch_items()), " items, headers ",
      Grouped(limits.max_header_bytes()), " bytes"));
  if (server.has_memory()) {
    output->PrintLine(absl::StrCat("memory    ", MemoryLine(server.memory())));
  }
  if (!server.features().empty()) {
    output->PrintLine(absl::StrCat(
        "features  ", OneLine(absl::StrJoin(server.features(), " "))));
  }
  output->PrintLine("");
  constexpr Table::Align kRight = Table::Align::kRight;
  Table table({{"VHOST"},
               {"EXCHANGES", kRight},
               {"QUEUES", kRight},
               {"CONSUMERS", kRight},
               {"READY", kRight},
               {"UNACKED", kRight}});
  for (const VhostCounts& counts : vhosts) {
    table.AddRow({counts.name, absl::StrCat(counts.exchanges),
                  absl::StrCat(counts.queues), absl::StrCat(counts.consumers),
                  absl::StrCat(counts.messages_ready),
                  absl::StrCat(counts.messages_unacked)});
  }
  output->PrintTable(table);
}

absl::Status Status(const StatusFlags&, Connection* connection,
                    Output* output) {
  v1::GetServerInfoResponse server;
  const absl::Status status = connection->Call(
      connection->messaging(), &v1::MessagingService::Stub::GetServerInfo,
      v1::GetServerInfoRequest(), &server);
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<VhostCounts>> vhosts =
      CountVhosts(connection);
  if (!vhosts.ok()) return vhosts.status();
  if (output->json()) {
    output->PrintJson(JsonOf(server, *vhosts, connection->target()));
  } else {
    PrintText(server, *vhosts, connection->target(), output);
  }
  return absl::OkStatus();
}

}  // namespace

void AddStatusCommand(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<StatusFlags>();
  CLI::App* command = AddCommand(
      app, "status",
      "Show the broker's version, engine, limits and features, and what its "
      "vhosts hold",
      {"kelpmq status", "kelpmq status --address 10.0.0.5:50672 --json"});
  AddClientFlags(command, &flags->client);
  OnRun(command, std::move(flags), exit_code, &Status);
}

}  // namespace kelpmq::service::cli
