#include "service/cli/perf/load_run.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "service/cli/perf/call_loop.h"
#include "service/cli/perf/consumer.h"
#include "service/cli/perf/counters.h"
#include "service/cli/perf/ledger.h"
#include "service/cli/perf/load_topology.h"
#include "service/cli/perf/process_usage.h"
#include "service/cli/perf/publisher.h"
#include "service/cli/perf/queued_memory.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli::perf {
namespace {

constexpr int64_t kProgressIntervalNs = 500'000'000;
// How often, at the least, it is looked whether to stop.
constexpr int64_t kLookIntervalNs = 50'000'000;
// Requests a second of one producer: time between them is still countable.
constexpr double kSlowestPace = 1e-6;

// Everything that rates are made of, at one moment.
struct Moment {
  int64_t now_ns = 0;
  uint64_t published = 0;
  uint64_t confirmed = 0;
  uint64_t consumed = 0;
  uint64_t acked = 0;
  double busy_cpu = 0;
  double client_cpu = 0;
  std::optional<double> server_cpu;
  std::optional<uint64_t> server_rss;
};

LatencySummary Summarize(const Histogram& histogram) {
  const auto us = [](int64_t ns) { return static_cast<double>(ns) / 1000; };
  LatencySummary summary;
  summary.count = histogram.count();
  summary.p50_us = us(histogram.Quantile(0.5));
  summary.p99_us = us(histogram.Quantile(0.99));
  summary.p999_us = us(histogram.Quantile(0.999));
  summary.max_us = us(histogram.max());
  return summary;
}

class LoadRun {
 public:
  LoadRun(const LoadOptions& options, Connection* connection,
          const LoadControl& control)
      : options_(options),
        connection_(connection),
        control_(control),
        topology_(options),
        ledger_(options.queues, options.producers) {}

  absl::StatusOr<LoadResult> Run() {
    absl::Status status = Declare();
    if (status.ok()) status = Measure();
    CloseStreams();
    status.Update(topology_.Delete(connection_, &loop_));
    if (!status.ok()) return status;
    return std::move(result_);
  }

 private:
  absl::Status Declare();
  absl::Status Measure();
  void StartPublishers();
  absl::Status StartConsumers();
  absl::Status PublishBacklog();
  void CloseStreams();
  void FillResult(const Moment& begin, const Moment& end);
  void CountQueued(const Moment& empty);

  // Runs the streams until `done`, or time is over, or a stop is due.
  template <typename Done>
  void RunUntil(int64_t end_ns, Done done);
  // Until all that was confirmed has come out of its queues, or an interrupt.
  void Drain();
  void FillCounts(bool is_cut_short);
  Moment Now() const;
  void ShowProgress(int64_t now_ns);

  int interrupts() const {
    return control_.interrupts != nullptr ? control_.interrupts->load() : 0;
  }
  bool stopped() const { return interrupts() > 0; }
  int64_t patience_ns() const {
    return absl::ToInt64Nanoseconds(connection_->timeout());
  }
  // Without a message for so long, what is missing counts as lost.
  bool Stalled();
  bool failed() const { return !counters_.first_failure.ok(); }
  bool all_idle() const {
    return std::all_of(publishers_.begin(), publishers_.end(),
                       [](const auto& publisher) { return publisher->idle(); });
  }
  bool all_acked() const {
    return std::all_of(
        consumers_.begin(), consumers_.end(),
        [](const auto& consumer) { return consumer->all_acked(); });
  }
  void PublishAll(uint64_t messages, double rate);
  // Deliveries that the confirmed messages must lead to.
  uint64_t Expected() const {
    const uint64_t routed =
        counters_.confirmed - std::min(counters_.confirmed, counters_.unrouted);
    return topology_.fans_out() ? routed * options_.queues : routed;
  }
  uint64_t Received();
  bool complete() const {
    return all_idle() &&
           (consumers_.empty() || counters_.consumed >= Expected());
  }

  const LoadOptions options_;
  Connection* const connection_;
  const LoadControl control_;
  CallLoop loop_;
  LoadTopology topology_;
  Ledger ledger_;
  Counters counters_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  LoadResult result_;

  uint64_t last_seen_ = 0;
  int64_t last_seen_ns_ = 0;
  int64_t next_progress_ns_ = 0;
  Moment last_shown_;
};

absl::Status LoadRun::Declare() {
  absl::Status status = topology_.Declare(connection_, &loop_);
  if (!absl::IsPermissionDenied(status)) return status;
  return WithHint(std::move(status),
                  "perf --help tells which names it declares; or give it a "
                  "queue that is there: --use-queue NAME");
}

void LoadRun::StartPublishers() {
  for (uint32_t i = 0; i < options_.producers; ++i) {
    MessageSource source(static_cast<uint16_t>(i), options_,
                         connection_->vhost(), &topology_);
    if (options_.unary) {
      publishers_.push_back(std::make_unique<UnaryPublisher>(
          &loop_, connection_->NewChannel(), connection_->timeout(), options_,
          std::move(source), &counters_));
    } else {
      publishers_.push_back(std::make_unique<StreamPublisher>(
          &loop_, connection_->NewChannel(), options_, std::move(source),
          &counters_));
    }
  }
}

absl::Status LoadRun::StartConsumers() {
  // Queue q belongs to consumer q modulo their number; with fewer queues than
  // consumers, several share one.
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (uint32_t i = 0; i < options_.consumers; ++i) {
    std::vector<uint32_t> queues;
    for (uint32_t q = i % options_.queues; q < options_.queues;
         q += options_.consumers) {
      queues.push_back(q);
    }
    if (options_.connections == 0 || i < options_.connections) {
      channels.push_back(connection_->NewChannel());
    }
    const std::shared_ptr<grpc::Channel> channel =
        channels[i % channels.size()];
    for (size_t first = 0; first < queues.size();
         first += kMaxQueuesPerStream) {
      const size_t last = std::min(queues.size(), first + kMaxQueuesPerStream);
      consumers_.push_back(std::make_unique<Consumer>(
          &loop_, channel, options_, connection_->vhost(), &topology_,
          std::vector<uint32_t>(queues.begin() + static_cast<ptrdiff_t>(first),
                                queues.begin() + static_cast<ptrdiff_t>(last)),
          &ledger_, &counters_));
    }
  }
  const auto all_started = [this] {
    return std::all_of(
        consumers_.begin(), consumers_.end(),
        [](const auto& consumer) { return consumer->started(); });
  };
  RunUntil(SteadyNanos() + patience_ns(), all_started);
  if (!counters_.first_failure.ok()) return counters_.first_failure;
  if (!all_started() && !stopped()) {
    return MakeFailure(ExitCode::kFailed,
                       "the consumers did not start in time");
  }
  return absl::OkStatus();
}

void LoadRun::PublishAll(uint64_t messages, double rate) {
  const auto producers = static_cast<double>(publishers_.size());
  const double batch = options_.unary ? 1 : options_.batch;
  const double per_second =
      rate > 0 ? std::max(rate / producers / batch, kSlowestPace) : 0;
  const int64_t now_ns = SteadyNanos();
  for (size_t i = 0; i < publishers_.size(); ++i) {
    // Producers take turns within an interval, and leave over nothing.
    const int64_t offset_ns =
        per_second > 0
            ? static_cast<int64_t>(1e9 / per_second * static_cast<double>(i) /
                                   producers)
            : 0;
    const uint64_t share = messages / publishers_.size() +
                           (i < messages % publishers_.size() ? 1 : 0);
    publishers_[i]->Publish(share, Pacer(per_second, now_ns + offset_ns));
    publishers_[i]->Pump();
  }
}

absl::Status LoadRun::PublishBacklog() {
  if (options_.backlog == 0) return absl::OkStatus();
  PublishAll(options_.backlog, 0);
  RunUntil(std::numeric_limits<int64_t>::max(),
           [this] { return all_idle() || Stalled(); });
  return counters_.first_failure;
}

absl::Status LoadRun::Measure() {
  const Moment empty = Now();
  StartPublishers();
  absl::Status status = PublishBacklog();
  if (!status.ok()) return status;
  status = StartConsumers();
  if (!status.ok()) return status;

  result_.options = options_;
  const bool counted = options_.messages > 0;
  if (!stopped()) {
    PublishAll(
        counted ? options_.messages : std::numeric_limits<int64_t>::max(),
        options_.rate);
  }
  if (!counted) {
    RunUntil(SteadyNanos() + absl::ToInt64Nanoseconds(options_.warmup),
             [] { return false; });
  }
  counters_.delivery_latency.Clear();
  counters_.confirm_latency.Clear();
  if (!stopped()) {
    const Moment begin = Now();
    if (counted) {
      RunUntil(std::numeric_limits<int64_t>::max(),
               [this] { return complete() || Stalled(); });
    } else {
      RunUntil(begin.now_ns + absl::ToInt64Nanoseconds(options_.duration),
               [] { return false; });
    }
    FillResult(begin, Now());
  }
  Drain();
  if (failed()) return counters_.first_failure;
  if (consumers_.empty()) CountQueued(empty);
  return absl::OkStatus();
}

template <typename Done>
void LoadRun::RunUntil(int64_t end_ns, Done done) {
  int64_t next_look_ns = 0;
  for (;;) {
    int64_t due_ns = std::numeric_limits<int64_t>::max();
    for (const auto& publisher : publishers_) {
      if (publisher->NextDue() > SteadyNanos()) {
        due_ns = std::min(due_ns, publisher->NextDue());
      } else {
        publisher->Pump();
      }
    }
    const int64_t now_ns = SteadyNanos();
    loop_.RunOne(std::min({due_ns, end_ns, now_ns + kLookIntervalNs}));
    if (now_ns >= end_ns || done() || failed() || stopped()) return;
    if (now_ns >= next_look_ns) {
      ShowProgress(now_ns);
      next_look_ns = now_ns + kLookIntervalNs;
    }
  }
}

void LoadRun::Drain() {
  for (const auto& publisher : publishers_) publisher->Stop();
  const int enough = stopped() ? 2 : 1;
  if (stopped() && control_.on_progress) {
    control_.on_progress(
        "interrupted; waits for what is queued, unless there is another "
        "Ctrl-C");
  }
  bool is_cut_short = false;
  while (!failed() && !complete() && !Stalled() && !is_cut_short) {
    loop_.RunOne(SteadyNanos() + kLookIntervalNs);
    is_cut_short = interrupts() >= enough;
  }
  for (const auto& consumer : consumers_) consumer->Flush();
  // The last acks wait for the write under way.
  const int64_t end_ns = SteadyNanos() + patience_ns();
  while (!failed() && !all_acked() && SteadyNanos() < end_ns) {
    loop_.RunOne(SteadyNanos() + kLookIntervalNs);
  }
  result_.interrupted = stopped();
  FillCounts(is_cut_short);
}

void LoadRun::FillCounts(bool is_cut_short) {
  result_.published_total = counters_.published;
  result_.consumed_total = counters_.consumed;
  result_.failed = counters_.failed;
  result_.strangers = counters_.strangers;
  result_.unrouted = counters_.unrouted;
  result_.redelivered = counters_.redelivered;
  result_.duplicated = counters_.duplicated;
  result_.reordered = counters_.reordered;
  result_.corrupt = counters_.corrupt;
  if (!consumers_.empty()) {
    const uint64_t expected = Expected() + counters_.unrouted;
    const uint64_t received = Received();
    const uint64_t missing = expected > received ? expected - received : 0;
    (is_cut_short ? result_.not_awaited : result_.lost) = missing;
  }
}

bool LoadRun::Stalled() {
  const uint64_t seen = counters_.confirmed + counters_.failed +
                        counters_.consumed + counters_.strangers;
  const int64_t now_ns = SteadyNanos();
  if (seen != last_seen_ || last_seen_ns_ == 0) {
    last_seen_ = seen;
    last_seen_ns_ = now_ns;
  }
  return now_ns - last_seen_ns_ >= patience_ns();
}

uint64_t LoadRun::Received() {
  uint64_t received = 0;
  for (uint32_t queue = 0; queue < options_.queues; ++queue) {
    for (uint32_t producer = 0; producer < options_.producers; ++producer) {
      received += ledger_.At(queue, producer).count();
    }
  }
  return received;
}

void LoadRun::CloseStreams() {
  const bool in_order = !failed();
  for (const auto& publisher : publishers_) {
    in_order ? publisher->Close() : publisher->Cancel();
  }
  for (const auto& consumer : consumers_) {
    in_order ? consumer->Close() : consumer->Cancel();
  }
  const auto all_over = [this] {
    return std::all_of(publishers_.begin(), publishers_.end(),
                       [](const auto& one) { return one->over(); }) &&
           std::all_of(consumers_.begin(), consumers_.end(),
                       [](const auto& one) { return one->over(); });
  };
  const int64_t give_up_ns = SteadyNanos() + patience_ns();
  bool cancelled = false;
  while (!all_over()) {
    const int64_t now_ns = SteadyNanos();
    const bool is_enough = now_ns >= give_up_ns || interrupts() > 1;
    if (is_enough && !std::exchange(cancelled, true)) {
      for (const auto& publisher : publishers_) publisher->Cancel();
      for (const auto& consumer : consumers_) consumer->Cancel();
    }
    loop_.RunOne(now_ns + kLookIntervalNs);
  }
}

Moment LoadRun::Now() const {
  Moment moment;
  moment.now_ns = SteadyNanos();
  moment.published = counters_.published;
  moment.confirmed = counters_.confirmed;
  moment.consumed = counters_.consumed;
  moment.acked = counters_.acked;
  moment.busy_cpu = BusyCpuSeconds();
  moment.client_cpu = CpuSecondsOf(getpid()).value_or(0);
  if (options_.server_pid != 0) {
    moment.server_cpu = CpuSecondsOf(options_.server_pid);
    moment.server_rss = ResidentBytesOf(options_.server_pid);
  }
  return moment;
}

void LoadRun::FillResult(const Moment& begin, const Moment& end) {
  const double seconds = static_cast<double>(end.now_ns - begin.now_ns) / 1e9;
  const auto rate = [seconds](uint64_t first, uint64_t last) {
    return static_cast<double>(last - first) / seconds;
  };
  result_.seconds = seconds;
  result_.published_per_second = rate(begin.published, end.published);
  result_.confirmed_per_second = rate(begin.confirmed, end.confirmed);
  result_.consumed_per_second = rate(begin.consumed, end.consumed);
  result_.acked_per_second = rate(begin.acked, end.acked);
  result_.messages = end.confirmed - begin.confirmed;
  result_.consumed = end.consumed - begin.consumed;
  result_.latency = Summarize(counters_.delivery_latency);
  result_.confirm_latency = Summarize(counters_.confirm_latency);
  result_.client_cpu_seconds = end.client_cpu - begin.client_cpu;
  result_.server_rss_bytes = end.server_rss;
  if (begin.server_cpu.has_value() && end.server_cpu.has_value()) {
    result_.server_cpu_seconds = *end.server_cpu - *begin.server_cpu;
    const double foreign = end.busy_cpu - begin.busy_cpu -
                           result_.client_cpu_seconds -
                           *result_.server_cpu_seconds;
    // The counters of processes and of the machine are rounded apart.
    result_.foreign_cpu_cores = std::max(foreign / seconds, 0.0);
  }
}

void LoadRun::CountQueued(const Moment& empty) {
  const Moment full = Now();
  const uint64_t queued = full.confirmed - empty.confirmed;
  if (queued == 0 || !full.server_rss.has_value() ||
      !empty.server_rss.has_value()) {
    return;
  }
  result_.bytes_per_queued_message = BytesPerQueuedMessage(
      *empty.server_rss, *full.server_rss, queued, options_.size);
  result_.memory_was_reused = !result_.bytes_per_queued_message.has_value();
}

void LoadRun::ShowProgress(int64_t now_ns) {
  if (!control_.on_progress || now_ns < next_progress_ns_) return;
  next_progress_ns_ = now_ns + kProgressIntervalNs;
  const Moment moment = Now();
  const Moment last = std::exchange(last_shown_, moment);
  if (last.now_ns == 0) return;
  const double seconds = static_cast<double>(now_ns - last.now_ns) / 1e9;
  const auto rate = [seconds](uint64_t before, uint64_t after) {
    return Grouped(static_cast<uint64_t>(
        std::llround(static_cast<double>(after - before) / seconds)));
  };
  control_.on_progress(absl::StrCat(
      rate(last.published, moment.published), " published, ",
      rate(last.confirmed, moment.confirmed), " confirmed, ",
      rate(last.acked, moment.acked), " acked a second; ",
      Grouped(moment.confirmed - std::min(moment.confirmed, moment.consumed)),
      " queued"));
}

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options,
                                   Connection* connection,
                                   const LoadControl& control) {
  return LoadRun(options, connection, control).Run();
}

}  // namespace kelpmq::service::cli::perf
