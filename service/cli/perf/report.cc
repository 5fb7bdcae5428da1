#include "service/cli/perf/report.h"

#include <cmath>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "service/cli/table.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli::perf {
namespace {

using Json = nlohmann::ordered_json;

// Above this, other processes had a noticeable part of the machine.
constexpr double kNoisyForeignCores = 0.3;

constexpr Table::Align kRight = Table::Align::kRight;

double Rounded(double number, double digits) {
  const double scale = std::pow(10, digits);
  return std::round(number * scale) / scale;
}

Json LatencyJson(const LatencySummary& latency) {
  Json json;
  const bool none = latency.count == 0;
  json["p50"] = none ? Json(nullptr) : Json(Rounded(latency.p50_us, 1));
  json["p99"] = none ? Json(nullptr) : Json(Rounded(latency.p99_us, 1));
  json["p999"] = none ? Json(nullptr) : Json(Rounded(latency.p999_us, 1));
  json["max"] = none ? Json(nullptr) : Json(Rounded(latency.max_us, 1));
  return json;
}

Json SettingsJson(const LoadOptions& options) {
  Json json;
  json["producers"] = options.producers;
  json["consumers"] = options.consumers;
  json["queues"] = options.queues;
  json["bindings"] = options.bindings;
  json["exchange_type"] = options.exchange_type;
  json["size"] = options.size;
  json["batch"] = options.unary ? 1 : options.batch;
  json["confirm_window"] = options.confirm_window;
  json["prefetch"] = options.prefetch;
  json["ack_batch"] = options.ack_batch;
  json["rate"] = options.rate;
  json["auto_ack"] = options.auto_ack;
  json["durable"] = options.durable;
  json["unary"] = options.unary;
  json["backlog"] = options.backlog;
  return json;
}

std::string Whole(double number) {
  return Grouped(static_cast<uint64_t>(std::llround(std::max(number, 0.0))));
}

std::string Milliseconds(double us) {
  return absl::StrFormat("%.2f", us / 1000);
}

void AddLatency(const char* name, const LatencySummary& latency, Table* table) {
  if (latency.count == 0) return;
  table->AddRow({name, Milliseconds(latency.p50_us),
                 Milliseconds(latency.p99_us), Milliseconds(latency.p999_us),
                 Milliseconds(latency.max_us)});
}

void PrintRates(const LoadResult& result, Output* output) {
  Table rates({{"PUBLISHED/S", kRight},
               {"CONFIRMED/S", kRight},
               {"CONSUMED/S", kRight},
               {"ACKED/S", kRight}});
  rates.AddRow(
      {Whole(result.published_per_second), Whole(result.confirmed_per_second),
       Whole(result.consumed_per_second), Whole(result.acked_per_second)});
  output->PrintTable(rates);
}

void PrintLatencies(const LoadResult& result, Output* output) {
  if (result.latency.count + result.confirm_latency.count > 0) {
    output->PrintLine("");
    Table latencies({{"LATENCY, MS"},
                     {"P50", kRight},
                     {"P99", kRight},
                     {"P99.9", kRight},
                     {"MAX", kRight}});
    AddLatency("to delivery", result.latency, &latencies);
    AddLatency("to confirm", result.confirm_latency, &latencies);
    output->PrintTable(latencies);
  }
}

void PrintUsage(const LoadResult& result, Output* output) {
  output->PrintLine("");
  std::string cpu = absl::StrFormat("CPU seconds in %.1f s: client %.2f",
                                    result.seconds, result.client_cpu_seconds);
  if (result.server_cpu_seconds.has_value()) {
    absl::StrAppendFormat(
        &cpu, ", server %.2f (%s messages per CPU second)",
        *result.server_cpu_seconds,
        Whole(static_cast<double>(std::max(result.messages, result.consumed)) /
              std::max(*result.server_cpu_seconds, 0.01)));
  }
  output->PrintLine(cpu);
  if (result.options.server_pid == 0) {
    output->PrintLine("--server-pid PID adds CPU and memory of the broker");
  }
  if (result.foreign_cpu_cores.has_value()) {
    output->PrintLine(absl::StrFormat(
        "other processes: %.2f cores%s", *result.foreign_cpu_cores,
        *result.foreign_cpu_cores > kNoisyForeignCores
            ? ", too much for a fair measurement"
            : ""));
  }
  if (result.server_rss_bytes.has_value()) {
    output->PrintLine(
        absl::StrFormat("server memory: %.1f MB",
                        static_cast<double>(*result.server_rss_bytes) / 1e6));
  }
  if (result.bytes_per_queued_message.has_value()) {
    output->PrintLine(absl::StrFormat("bytes per queued message: %.1f",
                                      *result.bytes_per_queued_message));
  } else if (result.memory_was_reused) {
    output->PrintLine(
        "bytes per queued message: unknown (the broker had freed memory to "
        "use)");
  }
}

void PrintCounts(const LoadResult& result, Output* output) {
  std::string line = absl::StrCat(
      Count(result.published_total, "message"), " published, ",
      Grouped(result.consumed_total), " consumed: ", Grouped(result.lost),
      " lost, ", Grouped(result.duplicated), " duplicated, ",
      Grouped(result.reordered), " reordered, ", Grouped(result.corrupt),
      " corrupt, ", Grouped(result.failed), " refused");
  if (result.strangers > 0) {
    absl::StrAppend(&line, ", ", Count(result.strangers, "stranger"));
  }
  if (result.not_awaited > 0) {
    absl::StrAppend(&line, ", ", Grouped(result.not_awaited), " not awaited");
  }
  output->PrintLine(line);
}

}  // namespace

Json JsonOf(const LoadResult& result) {
  Json json;
  const auto rounded = [](const std::optional<double>& number, double digits) {
    return number.has_value() ? Json(Rounded(*number, digits)) : Json(nullptr);
  };
  json["settings"] = SettingsJson(result.options);
  json["seconds"] = Rounded(result.seconds, 3);
  json["interrupted"] = result.interrupted;
  json["published_per_second"] = Rounded(result.published_per_second, 1);
  json["confirmed_per_second"] = Rounded(result.confirmed_per_second, 1);
  json["consumed_per_second"] = Rounded(result.consumed_per_second, 1);
  json["acked_per_second"] = Rounded(result.acked_per_second, 1);
  json["messages"] = result.messages;
  json["latency_us"] = LatencyJson(result.latency);
  json["confirm_latency_us"] = LatencyJson(result.confirm_latency);
  json["client_cpu_seconds"] = Rounded(result.client_cpu_seconds, 3);
  json["server_cpu_seconds"] = rounded(result.server_cpu_seconds, 3);
  json["foreign_cpu_cores"] = rounded(result.foreign_cpu_cores, 3);
  json["server_rss_bytes"] = result.server_rss_bytes.has_value()
                                 ? Json(*result.server_rss_bytes)
                                 : Json(nullptr);
  json["bytes_per_queued_message"] =
      rounded(result.bytes_per_queued_message, 1);
  json["published_total"] = result.published_total;
  json["consumed_total"] = result.consumed_total;
  json["failed"] = result.failed;
  json["strangers"] = result.strangers;
  json["not_awaited"] = result.not_awaited;
  json["unrouted"] = result.unrouted;
  json["redelivered"] = result.redelivered;
  json["lost"] = result.lost;
  json["duplicated"] = result.duplicated;
  json["reordered"] = result.reordered;
  json["corrupt"] = result.corrupt;
  return json;
}

void PrintReport(const LoadResult& result, Output* output) {
  if (result.interrupted && result.seconds == 0) {
    output->PrintLine("interrupted before anything was measured");
  } else {
    PrintRates(result, output);
    PrintLatencies(result, output);
    PrintUsage(result, output);
    if (result.interrupted) {
      output->PrintLine(
          absl::StrFormat("interrupted: these are figures of "
                          "%.1f s",
                          result.seconds));
    }
  }
  PrintCounts(result, output);
}

}  // namespace kelpmq::service::cli::perf
