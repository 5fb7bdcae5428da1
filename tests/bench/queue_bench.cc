// What a queue costs per message: items_per_second counts messages.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "service/queue/queue.h"
#include "tests/testing/manual_executor.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service {
namespace {

using testing::ManualExecutor;
using testing::PlainMessage;

// Remembers the ids of what it was given.
class IdSink : public DeliverySink {
 public:
  bool TryReserve(uint32_t, size_t) override { return true; }
  void Deliver(uint32_t, std::vector<Delivery> deliveries) override {
    for (const Delivery& d : deliveries) ids.push_back(d.delivery_id);
  }
  void ConsumerCancelled(uint32_t, CancelReason, absl::Status,
                         uint64_t) override {}
  void DeliveriesLost(const QueueRef&, absl::Span<const uint64_t>,
                      LostReason) override {}
  void CreditDrained(uint32_t, uint32_t) override {}

  std::vector<uint64_t> ids;
};

class Bench {
 public:
  explicit Bench(Table arguments = {}) {
    QueueSpec spec;
    spec.name = "q";
    spec.arguments = std::move(arguments);
    QueueEnvironment environment;
    environment.clock = &clock_;
    environment.timers = &timers_;
    environment.executor = &executor_;
    queue = Queue::Create(std::move(spec), kNoOwner, std::move(environment));
  }

  void Consume(const SinkRef& sink, uint32_t prefetch_count = 0) {
    ConsumeParams params;
    params.sink = sink;
    params.prefetch_count = prefetch_count;
    queue->Consume(std::move(params), [](absl::StatusOr<ConsumerId>) {});
  }
  void Publish(int64_t count) {
    std::vector<MessageRef> messages(count, message_);
    queue->Enqueue(std::move(messages), [](std::vector<uint32_t>) {});
  }
  void Settle(SettleAction action, std::vector<uint64_t> ids) {
    queue->Settle(action, std::move(ids), [](std::vector<uint64_t>) {});
  }

  std::shared_ptr<Queue> queue;

 private:
  RealClock clock_;
  ManualExecutor executor_;
  TimerQueue timers_{&clock_, &executor_};
  const MessageRef message_ = PlainMessage("", "q", std::string(100, 'x'));
};

// Publish, deliver and ack in batches.
void BM_PublishDeliverAck(benchmark::State& state) {
  Bench bench;
  auto sink = std::make_shared<IdSink>();
  bench.Consume(sink);
  for (auto _ : state) {
    bench.Publish(state.range(0));
    bench.Settle(SettleAction::kAck, std::exchange(sink->ids, {}));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_PublishDeliverAck)->Arg(1)->Arg(64);

// The same while every delivery has a deadline.
void BM_PublishDeliverAckWithTimeout(benchmark::State& state) {
  Bench bench({{"x-consumer-timeout", int32_t{1'800'000}}});
  auto sink = std::make_shared<IdSink>();
  bench.Consume(sink);
  for (auto _ : state) {
    bench.Publish(state.range(0));
    bench.Settle(SettleAction::kAck, std::exchange(sink->ids, {}));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_PublishDeliverAckWithTimeout)->Arg(1)->Arg(64);

// A turn must not cost more when many consumers have full windows.
void BM_TurnBesideBlockedConsumers(benchmark::State& state) {
  Bench bench;
  auto blocked = std::make_shared<IdSink>();
  for (int64_t i = 0; i < state.range(0); ++i) bench.Consume(blocked, 1);
  bench.Publish(state.range(0));
  auto sink = std::make_shared<IdSink>();
  bench.Consume(sink);
  for (auto _ : state) {
    bench.Publish(64);
    bench.Settle(SettleAction::kAck, std::exchange(sink->ids, {}));
  }
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(BM_TurnBesideBlockedConsumers)->Arg(0)->Arg(10'000);

// Prefetch 1 and many consumers: each turn another one.
void BM_TurnsAmongConsumers(benchmark::State& state) {
  Bench bench;
  auto sink = std::make_shared<IdSink>();
  for (int64_t i = 0; i < state.range(0); ++i) bench.Consume(sink, 1);
  for (auto _ : state) {
    bench.Publish(64);
    while (!sink->ids.empty()) {
      bench.Settle(SettleAction::kAck, std::exchange(sink->ids, {}));
    }
  }
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(BM_TurnsAmongConsumers)->Arg(1)->Arg(64)->Arg(10'000);

// 10,000 messages are out, come back and go out again; in order or shuffled.
void BM_Requeue10k(benchmark::State& state) {
  constexpr int64_t kMessages = 10'000;
  const bool shuffled = state.range(0) != 0;
  Bench bench;
  auto sink = std::make_shared<IdSink>();
  bench.Consume(sink);
  bench.Publish(kMessages);
  std::mt19937 random(1);
  for (auto _ : state) {
    std::vector<uint64_t> ids = std::exchange(sink->ids, {});
    if (shuffled) {
      state.PauseTiming();
      std::shuffle(ids.begin(), ids.end(), random);
      state.ResumeTiming();
    }
    bench.Settle(SettleAction::kRequeue, std::move(ids));
  }
  state.SetItemsProcessed(state.iterations() * kMessages);
}
BENCHMARK(BM_Requeue10k)->ArgName("shuffled")->Arg(0)->Arg(1);

// A deep queue: fill, then take by gets and ack.
void BM_FillAndGet(benchmark::State& state) {
  constexpr int64_t kMessages = 100'000;
  for (auto _ : state) {
    Bench bench;
    auto sink = std::make_shared<IdSink>();
    bench.Publish(kMessages);
    for (int64_t taken = 0; taken < kMessages; taken += 100) {
      GetParams params;
      params.holder = sink;
      params.max_messages = 100;
      std::vector<uint64_t> ids;
      bench.queue->Get(std::move(params),
                       [&ids](absl::StatusOr<GetResult> result) {
                         for (const Delivery& d : result->deliveries) {
                           ids.push_back(d.delivery_id);
                         }
                       });
      bench.Settle(SettleAction::kAck, std::move(ids));
    }
  }
  state.SetItemsProcessed(state.iterations() * kMessages);
}
BENCHMARK(BM_FillAndGet)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kelpmq::service
