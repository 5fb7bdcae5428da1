#include "service/cli/perf/soak.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "service/cli/perf/call_loop.h"
#include "service/cli/perf/report.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli::perf {
namespace {

// What rounds do otherwise than the flags say; the first is as they say.
struct Variation {
  const char* name;
  void (*apply)(LoadOptions* options);
};
constexpr Variation kVariations[] = {
    {"as given", [](LoadOptions*) {}},
    {"naive clients", [](LoadOptions* o) { o->batch = 1; }},
    {"many streams",
     [](LoadOptions* o) {
       o->producers = 4;
       o->consumers = 4;
     }},
    {"fan-out",
     [](LoadOptions* o) {
       o->exchange_type = "fanout";
       o->queues = 5;
     }},
    {"many queues",
     [](LoadOptions* o) {
       o->queues = 500;
       o->bindings = 2000;
       o->consumers = 2;
     }},
    {"large messages",
     [](LoadOptions* o) {
       o->size = 100'000;
       o->batch = 4;
       o->confirm_window = 64;
       o->prefetch = 64;
     }},
    {"a backlog", [](LoadOptions* o) { o->backlog = 200'000; }},
    {"one at a time",
     [](LoadOptions* o) {
       o->prefetch = 1;
       o->batch = 1;
     }},
};

// Long enough for a round to settle, short enough that a soak has many.
constexpr absl::Duration kLongestRound = absl::Minutes(1);
constexpr absl::Duration kShortestRound = absl::Seconds(1);

std::string LineOf(const char* name, const LoadResult& result) {
  std::string line = absl::StrFormat(
      "%-14s %12s acked/s  p99 %8.2f ms", name,
      Grouped(static_cast<uint64_t>(std::llround(result.acked_per_second))),
      result.latency.p99_us / 1000);
  if (result.server_rss_bytes.has_value()) {
    absl::StrAppendFormat(&line, "  server %.1f MB",
                          static_cast<double>(*result.server_rss_bytes) / 1e6);
  }
  absl::StrAppend(&line, result.correct() ? "  all correct" : "  WRONG");
  return line;
}

}  // namespace

absl::Status RunSoak(const LoadOptions& options, absl::Duration duration,
                     Connection* connection, Output* output,
                     const LoadControl& control) {
  constexpr auto kRounds = static_cast<int64_t>(std::size(kVariations));
  const int64_t end_ns = SteadyNanos() + absl::ToInt64Nanoseconds(duration);
  // A short soak still comes to each variation.
  const absl::Duration round =
      std::clamp(duration / kRounds, kShortestRound, kLongestRound);
  uint64_t messages = 0;
  size_t next = 0;
  while (SteadyNanos() < end_ns && control.interrupts->load() == 0) {
    const Variation& variation = kVariations[next++ % kRounds];
    LoadOptions one = options;
    variation.apply(&one);
    one.messages = 0;
    one.warmup = absl::ZeroDuration();
    one.duration = std::min(round, absl::Nanoseconds(end_ns - SteadyNanos()));
    const absl::StatusOr<LoadResult> result = RunLoad(one, connection, control);
    output->ClearProgress();
    if (!result.ok()) return result.status();
    messages += result->consumed_total;
    if (output->json()) {
      nlohmann::ordered_json json = JsonOf(*result);
      json["variation"] = variation.name;
      output->PrintJsonLine(json);
    } else {
      output->PrintLine(LineOf(variation.name, *result));
    }
    if (absl::Status flushed = output->Flush(); !flushed.ok()) return flushed;
    if (!result->correct()) {
      return MakeFailure(
          ExitCode::kFailed,
          absl::StrCat("the round '", variation.name, "' had ", result->lost,
                       " messages lost, ", result->duplicated, " duplicated, ",
                       result->reordered, " reordered, ", result->corrupt,
                       " corrupt"));
    }
  }
  if (!output->json()) {
    output->PrintLine(
        absl::StrCat(Count(next, "round"), ", ", Count(messages, "message"),
                     ": every one came once, whole and in "
                     "order",
                     control.interrupts->load() > 0 ? "; interrupted" : ""));
  }
  return absl::OkStatus();
}

}  // namespace kelpmq::service::cli::perf
