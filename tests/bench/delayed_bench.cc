// What messages cost that wait for their time.

#include <malloc.h>

#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "service/base/timer_queue.h"
#include "service/engine/memory/delayed_messages.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/manual_executor.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service {
namespace {

constexpr size_t kBatch = 256;
constexpr int kHourSeconds = 3600;

size_t HeapBytes() { return mallinfo2().uordblks; }

// So many messages wait, due at random within an hour; then the hour is over.
// Shows bytes for each beyond the message itself, and fails unless all come in
// the order of their times.
void BM_Delayed(benchmark::State& state) {
  const size_t count = state.range(0);
  std::mt19937 random(1);
  std::uniform_int_distribution<int> seconds(1, kHourSeconds);
  std::vector<MessageRef> messages;
  std::vector<absl::Duration> delays;
  for (size_t i = 0; i < count; ++i) {
    messages.push_back(
        testing::PlainMessage("x", std::to_string(i), std::string(100, 'b')));
    delays.push_back(absl::Seconds(seconds(random)));
  }
  double bytes_each = 0, add_ns = 0;
  for (auto _ : state) {
    testing::FakeClock clock;
    testing::ManualExecutor executor;
    TimerQueue timers(&clock, &executor);
    size_t came = 0, last = 0;
    bool in_order = true;
    auto delayed = DelayedMessages::Create(
        &clock, &timers, &executor, [&](std::vector<LateMessage> due) {
          for (const LateMessage& late : due) {
            const size_t i =
                std::stoul(std::string(late.message->routing_key()));
            in_order &= came == 0 || delays[last] < delays[i] ||
                        (delays[last] == delays[i] && last < i);
            last = i;
            ++came;
          }
        });
    const size_t before = HeapBytes();
    const absl::Time start = absl::Now();
    for (size_t i = 0; i < count;) {
      std::vector<DelayedMessages::Addition> batch;
      for (; i < count && batch.size() < kBatch; ++i) {
        batch.push_back({clock.Now() + delays[i], {messages[i], "x"}});
      }
      delayed->Add(std::move(batch), [] {});
    }
    add_ns = absl::ToDoubleNanoseconds(absl::Now() - start) / count;
    bytes_each = static_cast<double>(HeapBytes() - before) / count;
    clock.Advance(absl::Seconds(kHourSeconds));
    while (timers.RunDue() > 0) executor.RunAll();
    if (came != count || !in_order) state.SkipWithError("not all, or disorder");
  }
  state.counters["bytes_each"] = bytes_each;
  state.counters["add_ns_each"] = add_ns;
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(BM_Delayed)->Arg(1000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kelpmq::service
