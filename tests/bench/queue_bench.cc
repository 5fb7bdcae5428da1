// What a queue costs per message, in time (items_per_second counts messages)
// and in memory (bytes_per_message).

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/queue/queue.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/manual_executor.h"
#include "tests/testing/message_encoder.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service {
namespace {

using testing::ManualExecutor;
using testing::PlainMessage;

// Remembers the ids of what it was given.
class IdSink : public DeliverySink {
 public:
  uint32_t Reserve(uint32_t, size_t, uint32_t) override { return 1; }
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

// ---- What a queue keeps of a message beyond the message itself ----

constexpr int64_t kMany = 1'000'000;

// Bytes that the process has allocated and not freed.
size_t AllocatedBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A queue under a clock that stands still until it is moved.
class TimedBench {
 public:
  explicit TimedBench(Table arguments) {
    QueueSpec spec;
    spec.name = "q";
    spec.arguments = std::move(arguments);
    QueueEnvironment environment;
    environment.clock = &clock_;
    environment.timers = &timers_;
    environment.executor = &executor_;
    environment.on_dead_letters = [this](std::vector<DeadLetter> letters,
                                         QueueEnvironment::LettersDone done) {
      for (const DeadLetter& letter : letters) {
        const size_t size = letter.message->facts().payload_bytes;
        in_order = in_order && size >= last_size_;
        last_size_ = size;
        ++dead;
      }
      std::move(done)({});
    };
    queue = Queue::Create(std::move(spec), kNoOwner, std::move(environment));
  }

  // Publishes kMany messages that differ in nothing but the size of the body,
  // which grows by one byte a thousand messages, so that order can be seen.
  void PublishMany(uint8_t priority, bool with_expiration) {
    constexpr int64_t kBatch = 1000;
    for (int64_t sent = 0; sent < kMany; sent += kBatch) {
      testing::MessageParts parts;
      parts.body = std::string(sent / kBatch, 'x');
      parts.priority = priority;
      if (with_expiration) parts.expiration = absl::StrCat(60'000 + sent);
      std::vector<MessageRef> batch(kBatch, testing::MessageOf(parts));
      queue->Enqueue(std::move(batch), [](std::vector<uint32_t>) {});
    }
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    timers_.RunDue();
    executor_.RunAll();
  }

  std::shared_ptr<Queue> queue;
  int64_t dead = 0;
  bool in_order = true;

 private:
  testing::FakeClock clock_;
  ManualExecutor executor_;
  TimerQueue timers_{&clock_, &executor_};
  uint32_t last_size_ = 0;
};

// bytes_per_message: what each of a million queued messages costs the queue. A
// thousand share one message here, whose bytes are therefore not in it.
void MeasureKept(benchmark::State& state, Table arguments, uint8_t priority,
                 bool with_expiration) {
  double bytes = 0;
  for (auto _ : state) {
    const size_t before = AllocatedBytes();
    TimedBench bench(arguments);
    bench.PublishMany(priority, with_expiration);
    bytes = static_cast<double>(AllocatedBytes() - before) / kMany;
  }
  state.counters["bytes_per_message"] = bytes;
  state.SetItemsProcessed(state.iterations() * kMany);
}
void BM_KeptPlain(benchmark::State& state) { MeasureKept(state, {}, 0, false); }
void BM_KeptWithQueueTtl(benchmark::State& state) {
  MeasureKept(state, {{"x-message-ttl", int32_t{60'000}}}, 0, false);
}
void BM_KeptWithExpiration(benchmark::State& state) {
  MeasureKept(state, {}, 0, true);
}
void BM_KeptWithPriority(benchmark::State& state) {
  MeasureKept(state, {{"x-max-priority", int32_t{10}}}, 5, false);
}
BENCHMARK(BM_KeptPlain)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_KeptWithQueueTtl)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_KeptWithExpiration)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_KeptWithPriority)->Iterations(1)->Unit(benchmark::kMillisecond);

// A million messages with a time of their own run out one after the other, and
// become dead letters; one timer serves them all.
void BM_ExpireInOrder(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    TimedBench bench(Table{{"x-dead-letter-exchange", "dlx"}});
    bench.PublishMany(0, /*with_expiration=*/true);
    state.ResumeTiming();
    bench.Pass(absl::Seconds(60));
    while (bench.dead < kMany) bench.Pass(absl::Seconds(10));
    if (!bench.in_order) state.SkipWithError("out of order");
    state.PauseTiming();
    bench.queue.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kMany);
}
BENCHMARK(BM_ExpireInOrder)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace kelpmq::service
