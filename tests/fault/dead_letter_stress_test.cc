// Messages that die on many threads at once: of time, of full queues and of
// consumers. Each must be acked, or arrive where the dead go, exactly once.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/timer_queue.h"
#include "service/engine/memory/memory_engine.h"
#include "tests/testing/plain_message.h"
#include "tests/testing/recording_sink.h"

namespace kelpmq::service::testing {
namespace {

constexpr const char* kVhost = "/";
constexpr int kQueues = 6;
constexpr int kThreads = 4;
constexpr int kRounds = 400;
constexpr int kMaxBatch = 10;

std::string QueueName(int queue) { return absl::StrCat("q", queue); }

class DeadLetterStress : public ::testing::Test {
 protected:
  void SetUp() override {
    timers_.Start();
    Declare("grave", {});
    for (int queue = 0; queue < kQueues; ++queue) {
      Table arguments = {{"x-dead-letter-exchange", ""},
                         {"x-dead-letter-routing-key", "grave"},
                         {"x-message-ttl", int32_t{1 + queue}},
                         {"x-max-length", int32_t{5 * queue}}};
      if (queue == 1) arguments["x-max-priority"] = int32_t{3};
      // The dead of this one go through another one first.
      if (queue == 2) arguments["x-dead-letter-routing-key"] = QueueName(3);
      Declare(QueueName(queue), std::move(arguments));
    }
  }

  void Declare(const std::string& name, Table arguments) {
    DeclareQueueParams params;
    params.vhost = kVhost;
    params.spec.name = name;
    params.spec.arguments = std::move(arguments);
    engine_.DeclareQueue(std::move(params),
                         [](auto result) { EXPECT_TRUE(result.ok()); });
  }

  void Publish(std::mt19937& random) {
    const std::string queue = QueueName(static_cast<int>(random() % kQueues));
    PublishParams params;
    params.vhost = kVhost;
    for (uint32_t i = 0; i <= random() % kMaxBatch; ++i) {
      PublishItem item;
      item.message = PlainMessage("", queue, "m");
      params.items.push_back(std::move(item));
      published_.fetch_add(1);
    }
    engine_.Publish(std::move(params), [](auto result) {
      EXPECT_TRUE(result.ok() && result->failures.empty());
    });
  }
  void TakeAndSettle(std::mt19937& random, const SinkRef& sink) {
    GetParams params;
    params.vhost = kVhost;
    params.queue = QueueName(static_cast<int>(random() % kQueues));
    params.holder = sink;
    params.max_messages = 3;
    const auto action = static_cast<SettleAction>(random() % 3);
    engine_.Get(std::move(params), [this, action](auto got) {
      ASSERT_TRUE(got.ok()) << got.status();
      if (got->deliveries.empty()) return;
      QueueDeliveries taken{got->queue, {}};
      for (const Delivery& delivery : got->deliveries) {
        taken.delivery_ids.push_back(delivery.delivery_id);
      }
      if (action == SettleAction::kAck) {
        acked_.fetch_add(taken.delivery_ids.size());
      }
      engine_.Settle({action, {std::move(taken)}}, [](auto settled) {
        EXPECT_TRUE(settled.ok() && settled->lost.empty());
      });
    });
  }
  uint64_t Buried() {
    std::atomic<uint64_t> count{0};
    std::atomic<bool> done{false};
    engine_.GetQueue({kVhost, "grave"}, [&](absl::StatusOr<QueueInfo> info) {
      count = info->messages_ready;
      done = true;
    });
    while (!done.load()) std::this_thread::yield();
    return count.load();
  }

  RealClock clock_;
  ThreadPoolExecutor executor_{2};
  TimerQueue timers_{&clock_, &executor_};
  std::atomic<uint64_t> published_{0};
  std::atomic<uint64_t> acked_{0};
  MemoryEngine engine_{&clock_, &timers_, &executor_};
};

TEST_F(DeadLetterStress, EveryMessageIsAckedOrBuriedOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] {
      std::mt19937 random(i);
      const auto sink = std::make_shared<RecordingSink>();
      for (int round = 0; round < kRounds; ++round) {
        Publish(random);
        TakeAndSettle(random, sink);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // What is left runs out by itself.
  const absl::Time give_up = clock_.Now() + absl::Seconds(60);
  while (acked_ + Buried() < published_ && clock_.Now() < give_up) {
    std::this_thread::yield();
  }
  EXPECT_EQ(acked_ + Buried(), published_.load());
  std::atomic<bool> deleted{false};
  engine_.DeleteVhost(kVhost, [&](auto) { deleted = true; });
  while (!deleted.load()) std::this_thread::yield();
}

}  // namespace
}  // namespace kelpmq::service::testing
