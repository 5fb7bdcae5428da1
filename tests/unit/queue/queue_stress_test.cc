// Queue from many threads: nothing is lost, nothing is acked twice, and what
// comes again says so. Meant for ThreadSanitizer too.

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "service/queue/queue.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service::testing {
namespace {

constexpr int kProducers = 4;
constexpr int kConsumers = 4;
constexpr int kMessagesPerProducer = 2000;
constexpr int kBatch = 7;
constexpr size_t kRoom = 16;

// A bounded inbox. Refuses when it is full and remembers that it did.
class InboxSink : public DeliverySink {
 public:
  uint32_t Reserve(uint32_t, size_t, uint32_t) override {
    MutexLock lock(&mu_);
    if (reserved_ == kRoom) {
      refused_ = true;
      return 0;
    }
    ++reserved_;
    return 1;
  }
  void Deliver(uint32_t, std::vector<Delivery> deliveries) override {
    MutexLock lock(&mu_);
    for (Delivery& d : deliveries) inbox_.push_back(std::move(d));
    wake_.NotifyAll();
  }
  void ConsumerCancelled(uint32_t, CancelReason, absl::Status,
                         uint64_t) override {}
  void DeliveriesLost(const QueueRef&, absl::Span<const uint64_t>,
                      LostReason) override {}
  void CreditDrained(uint32_t, uint32_t) override {}

  // What has come, after a short wait for something. `resume`: a refusal is to
  // be followed up.
  std::vector<Delivery> Take(bool* resume) {
    MutexLock lock(&mu_);
    if (inbox_.empty()) wake_.WaitFor(&mu_, absl::Milliseconds(1));
    reserved_ -= inbox_.size();
    *resume = std::exchange(refused_, false);
    return std::exchange(inbox_, {});
  }

 private:
  Mutex mu_;
  CondVar wake_;
  std::vector<Delivery> inbox_ ABSL_GUARDED_BY(mu_);
  size_t reserved_ ABSL_GUARDED_BY(mu_) = 0;
  bool refused_ ABSL_GUARDED_BY(mu_) = false;
};

struct Ledger {
  std::vector<std::atomic<int>> acked =
      std::vector<std::atomic<int>>(kProducers * kMessagesPerProducer);
  std::vector<std::atomic<int>> delivered =
      std::vector<std::atomic<int>>(kProducers * kMessagesPerProducer);
  std::atomic<int> acked_count{0};
  std::atomic<int> unflagged_repeats{0};
};

void Produce(Queue& queue, int producer, std::atomic<int>& confirmed) {
  for (int i = 0; i < kMessagesPerProducer;) {
    std::vector<MessageRef> batch;
    for (int j = 0; j < kBatch && i < kMessagesPerProducer; ++j, ++i) {
      batch.push_back(PlainMessage(
          "", "q", std::to_string(producer * kMessagesPerProducer + i)));
    }
    const int size = static_cast<int>(batch.size());
    queue.Enqueue(std::move(batch),
                  [&confirmed, size](std::vector<uint32_t> refused) {
                    EXPECT_TRUE(refused.empty());
                    confirmed += size;
                  });
  }
}

// Consumes with one sink after another; settles at random.
void ConsumeAll(Queue& queue, uint32_t seed, Ledger& ledger) {
  constexpr int kTotal = kProducers * kMessagesPerProducer;
  std::mt19937 random(seed);
  while (ledger.acked_count < kTotal) {
    auto sink = std::make_shared<InboxSink>();
    ConsumeParams params;
    params.sink = sink;
    params.prefetch_count = random() % 20;
    params.priority = static_cast<int32_t>(random() % 2);
    std::atomic<ConsumerId> consumer{0};
    std::atomic<bool> started{false};
    queue.Consume(std::move(params), [&](absl::StatusOr<ConsumerId> id) {
      EXPECT_TRUE(id.ok());
      consumer = *id;
      started = true;
    });
    while (!started) std::this_thread::yield();
    const int rounds = 1 + static_cast<int>(random() % 50);
    for (int round = 0; round < rounds && ledger.acked_count < kTotal;
         ++round) {
      bool resume = false;
      std::vector<Delivery> deliveries = sink->Take(&resume);
      if (resume) queue.Resume({consumer});
      // Nothing comes: what this one left unsettled may fill its window.
      if (deliveries.empty()) break;
      std::vector<uint64_t> acks;
      std::vector<uint64_t> requeues;
      for (const Delivery& delivery : deliveries) {
        int number = -1;
        ASSERT_TRUE(absl::SimpleAtoi(BodyOf(*delivery.message), &number));
        if (ledger.delivered[number]++ > 0 && delivery.delivery_count == 0) {
          ++ledger.unflagged_repeats;
        }
        switch (random() % 4) {
          case 0:
            requeues.push_back(delivery.delivery_id);
            break;
          case 1:  // left to the release below
            break;
          default:
            acks.push_back(delivery.delivery_id);
            ++ledger.acked[number];
            ++ledger.acked_count;
        }
      }
      const auto none_lost = [](std::vector<uint64_t> lost) {
        EXPECT_TRUE(lost.empty());
      };
      if (!acks.empty()) queue.Settle(SettleAction::kAck, acks, none_lost);
      if (!requeues.empty()) {
        queue.Settle(SettleAction::kRequeue, requeues, none_lost);
      }
    }
    std::atomic<bool> released{false};
    queue.Release(sink, [&released](uint64_t) { released = true; });
    while (!released) std::this_thread::yield();
  }
}

TEST(QueueStress, NothingIsLostAndRepeatsAreFlagged) {
  RealClock clock;
  ThreadPoolExecutor executor(2);
  TimerQueue timers(&clock, &executor);
  timers.Start();
  QueueSpec spec;
  spec.name = "q";
  spec.arguments = {{"x-expires", int32_t{3'600'000}}};
  QueueEnvironment environment;
  environment.clock = &clock;
  environment.timers = &timers;
  environment.executor = &executor;
  auto queue = Queue::Create(spec, kNoOwner, std::move(environment));

  Ledger ledger;
  std::atomic<int> confirmed{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < kProducers; ++i) {
    threads.emplace_back([&, i] { Produce(*queue, i, confirmed); });
  }
  for (int i = 0; i < kConsumers; ++i) {
    threads.emplace_back([&, i] { ConsumeAll(*queue, 100 + i, ledger); });
  }
  std::thread observer([&] {
    while (!stop) {
      EXPECT_LE(queue->info().consumer_count, uint32_t{kConsumers});
      queue->ListConsumers([](std::vector<ConsumerInfo>) {});
      queue->Touch();
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  observer.join();

  EXPECT_EQ(confirmed, kProducers * kMessagesPerProducer);
  EXPECT_EQ(ledger.unflagged_repeats, 0);
  for (const std::atomic<int>& count : ledger.acked) EXPECT_EQ(count, 1);
  std::atomic<bool> listed{false};
  queue->ListConsumers([&listed](std::vector<ConsumerInfo> list) {
    EXPECT_TRUE(list.empty());
    listed = true;
  });
  while (!listed) std::this_thread::yield();
  EXPECT_EQ(queue->info().messages_ready, 0u);
  EXPECT_EQ(queue->info().messages_unacked, 0u);
}

}  // namespace
}  // namespace kelpmq::service::testing
