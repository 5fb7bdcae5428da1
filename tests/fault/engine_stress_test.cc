// Many producers and consumers against one engine on real threads, with
// cancels, disconnects, requeues and declarations in between. Every message
// must be acked exactly once in every queue it was routed to, and each delivery
// after the first must say so.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/timer_queue.h"
#include "service/engine/memory/memory_engine.h"
#include "tests/fault/stress_actors.h"
#include "tests/fault/stress_sink.h"

namespace kelpmq::service::testing {
namespace {

class EngineStress : public ::testing::Test {
 protected:
  void SetUp() override {
    timers_.Start();
    for (const auto& [name, type] :
         {std::pair("fan", "topic"), std::pair("flaky", "direct"),
          std::pair("extra", "fanout")}) {
      DeclareExchangeParams params;
      params.vhost = kVhost;
      params.spec.name = name;
      params.spec.type = type;
      engine_.DeclareExchange(params,
                              [](auto result) { EXPECT_TRUE(result.ok()); });
    }
    for (int queue = 0; queue < kQueues; ++queue) {
      DeclareQueueParams params;
      params.vhost = kVhost;
      params.spec.name = QueueName(queue);
      engine_.DeclareQueue(params,
                           [](auto result) { EXPECT_TRUE(result.ok()); });
      if (queue % kFanStep == 0) BindToFan(queue);
    }
  }

  void BindToFan(int queue) {
    // Two ways there, one copy.
    for (const char* key : {"a.*", "#"}) {
      BindParams params;
      params.vhost = kVhost;
      params.binding.source = "fan";
      params.binding.destination = QueueName(queue);
      params.binding.routing_key = key;
      engine_.Bind(params, [](auto result) { EXPECT_TRUE(result.ok()); });
    }
  }

  void AwaitAllCalls() {
    while (progress_.open_calls.load() != 0) std::this_thread::yield();
  }

  // One thread's share of all actors; each actor is always this thread's.
  void RunThread(int thread) {
    Random random(1000 + thread);
    std::vector<std::unique_ptr<Producer>> producers;
    std::vector<std::unique_ptr<Consumer>> consumers;
    for (int i = thread; i < kProducers; i += kThreads) {
      producers.push_back(std::make_unique<Producer>(i, &engine_, &progress_));
    }
    for (int i = thread; i < kConsumers; i += kThreads) {
      consumers.push_back(
          std::make_unique<Consumer>(i, &engine_, &ledger_, &progress_));
    }
    Planner planner(thread, &engine_);
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < producers.size(); ++i) {
        producers[i]->Step(random, &published_);
        consumers[i]->Step(random);
      }
      planner.Step(random);
    }
    for (auto& consumer : consumers) consumer->Disconnect();
  }

  // Makes a call and returns what it completed with.
  template <typename Result, typename Call>
  absl::StatusOr<Result> Await(Call call) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<Result>>>();
    auto done = std::make_shared<std::atomic<bool>>(false);
    call(Done<Result>([answer, done](absl::StatusOr<Result> result) {
      *answer = std::move(result);
      done->store(true);
    }));
    while (!done->load()) std::this_thread::yield();
    return **std::move(answer);
  }

  // Takes and acks what is left of a queue.
  void Drain(int queue) {
    auto sink = std::make_shared<StressSink>(&ledger_);
    while (true) {
      GetParams params;
      params.vhost = kVhost;
      params.queue = QueueName(queue);
      params.holder = sink;
      params.max_messages = 1000;
      auto got = Await<GetResult>(
          [&](auto done) { engine_.Get(params, std::move(done)); });
      ASSERT_TRUE(got.ok()) << got.status();
      if (got->deliveries.empty()) return;
      sink->Hold(*got, queue);
      QueueDeliveries taken{got->queue, {}};
      for (const Delivery& delivery : got->deliveries) {
        taken.delivery_ids.push_back(delivery.delivery_id);
      }
      auto settled = Await<SettleResult>([&](auto done) {
        engine_.Settle({SettleAction::kAck, {taken}}, std::move(done));
      });
      ASSERT_TRUE(settled.ok() && settled->lost.empty());
      for (const Held& held : sink->TakeHeld()) {
        ledger_.Acked(queue, held.message);
      }
    }
  }

  RealClock clock_;
  ThreadPoolExecutor executor_{2};
  TimerQueue timers_{&clock_, &executor_};
  Ledger ledger_;
  Progress progress_;
  // Each message is entered by its producer alone.
  std::vector<Published> published_ = std::vector<Published>(kMessages);
  MemoryEngine engine_{&clock_, &timers_, &executor_};
};

TEST_F(EngineStress, NothingIsLostAndNothingComesTwiceUnmarked) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] { RunThread(i); });
  }
  for (std::thread& thread : threads) thread.join();
  AwaitAllCalls();
  for (int queue = 0; queue < kQueues; ++queue) Drain(queue);

  for (uint32_t message = 0; message < kMessages; ++message) {
    const Published& published = published_[message];
    if (published.route == Route::kQueue) {
      EXPECT_TRUE(ledger_.IsAcked(published.queue, message))
          << "message " << message << " lost in queue " << published.queue;
    } else if (published.route == Route::kFan) {
      for (int queue = 0; queue < kQueues; queue += kFanStep) {
        EXPECT_TRUE(ledger_.IsAcked(queue, message))
            << "message " << message << " lost in queue " << queue;
      }
    }
  }
  EXPECT_EQ(ledger_.AckedCount(), progress_.copies.load())
      << "every copy that a confirm counted, and no other";
  // Closes what comes and goes as well, and their timers with them.
  EXPECT_TRUE(Await<bool>([&](auto done) {
                engine_.DeleteVhost(kVhost, std::move(done));
              }).ok());
}

}  // namespace
}  // namespace kelpmq::service::testing
