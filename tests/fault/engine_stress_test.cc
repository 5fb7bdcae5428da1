// Many producers and consumers against one engine on real threads, with
// cancels, disconnects, requeues and declarations in between. Every message
// must be acked exactly once in every queue it was routed to, and each delivery
// after the first must say so.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/mutex.h"
#include "service/base/timer_queue.h"
#include "service/engine/memory/memory_engine.h"
#include "tests/testing/plain_message.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service::testing {
namespace {

constexpr int kThreads = 8;
constexpr int kProducers = 64;
constexpr int kConsumers = 64;
constexpr int kQueues = 200;      // stay to the end and are accounted for
constexpr int kExtraQueues = 24;  // come and go
constexpr int kRounds = 240;
constexpr int kMaxBatch = 6;
// Every kFanStep-th queue is bound to the exchange "fan" throughout.
constexpr int kFanStep = 50;
constexpr uint32_t kMessages = kProducers * kRounds * kMaxBatch;
constexpr char kVhost[] = "/";

using Random = std::mt19937;
int Pick(Random& random, int below) {
  return std::uniform_int_distribution<int>(0, below - 1)(random);
}

std::string QueueName(int queue) { return absl::StrCat("q", queue); }
std::string ExtraName(int extra) { return absl::StrCat("x", extra); }

// Reports the first few failures, so that a broken engine does not print
// millions.
void Complain(const std::string& what) {
  static std::atomic<int> complaints{0};
  if (complaints.fetch_add(1) < 20) ADD_FAILURE() << what;
}

// What has happened to each message in each queue. Lock-free, so that it orders
// nothing that the engine should order itself.
class Ledger {
 public:
  Ledger()
      : delivered_(size_t{kQueues} * kMessages),
        acked_(size_t{kQueues} * kMessages) {}

  void Delivered(int queue, uint32_t message, uint32_t delivery_count) {
    const uint32_t before = delivered_[At(queue, message)].fetch_add(1);
    if (before != delivery_count) {
      Complain(absl::StrCat(
          "message ", message, " in queue ", queue, " delivered ", before,
          " times before, but delivery_count says ", delivery_count));
    }
  }
  void Acked(int queue, uint32_t message) {
    if (acked_[At(queue, message)].fetch_add(1) != 0) {
      Complain(absl::StrCat("message ", message, " acked twice in ", queue));
    }
  }
  bool IsAcked(int queue, uint32_t message) const {
    return acked_[At(queue, message)].load() != 0;
  }
  uint64_t AckedCount() const {
    return std::count_if(acked_.begin(), acked_.end(),
                         [](const auto& acked) { return acked.load() != 0; });
  }

 private:
  static size_t At(int queue, uint32_t message) {
    return size_t{kMessages} * queue + message;
  }

  std::vector<std::atomic<uint8_t>> delivered_;
  std::vector<std::atomic<uint8_t>> acked_;
};

// What a sink has received and not yet settled.
struct Held {
  QueueRef queue;
  int number = -1;  // of the queue; -1: one that comes and goes
  uint32_t message = 0;
  uint64_t delivery_id = 0;
};

uint32_t MessageOf(const Delivery& delivery) {
  uint32_t message = 0;
  if (!absl::SimpleAtoi(BodyOf(*delivery.message), &message)) {
    Complain("foreign body");
  }
  return message;
}

// One stream: has consumers, holds deliveries, refuses some.
class StressSink : public DeliverySink {
 public:
  explicit StressSink(Ledger* ledger) : ledger_(ledger) {}

  // Before Engine::Consume is called with this key.
  void Expect(uint32_t consumer_key, int queue_number) {
    MutexLock lock(&mu_);
    consumers_[consumer_key].queue_number = queue_number;
  }
  void Started(uint32_t consumer_key, ConsumerRef ref) {
    MutexLock lock(&mu_);
    consumers_[consumer_key].ref = std::move(ref);
  }

  bool TryReserve(uint32_t, size_t) override {
    MutexLock lock(&mu_);
    if (room_ == 0) return false;
    --room_;
    return true;
  }
  void Deliver(uint32_t consumer_key,
               std::vector<Delivery> deliveries) override {
    MutexLock lock(&mu_);
    Consumer& consumer = consumers_[consumer_key];
    for (const Delivery& delivery : deliveries) {
      const uint32_t message = MessageOf(delivery);
      if (consumer.queue_number >= 0) {
        ledger_->Delivered(consumer.queue_number, message,
                           delivery.delivery_count);
        if (delivery.delivery_count == 0) CheckOrder(&consumer, message);
      }
      held_.push_back({consumer.ref.queue, consumer.queue_number, message,
                       delivery.delivery_id});
    }
  }
  void ConsumerCancelled(uint32_t consumer_key, CancelReason, absl::Status,
                         uint64_t) override {
    MutexLock lock(&mu_);
    if (consumers_[consumer_key].queue_number >= 0) {
      Complain("consumer of a lasting queue cancelled");
    }
  }
  void DeliveriesLost(const QueueRef& queue, absl::Span<const uint64_t> ids,
                      LostReason) override {
    MutexLock lock(&mu_);
    held_.erase(std::remove_if(held_.begin(), held_.end(),
                               [&](const Held& held) {
                                 return held.queue == queue &&
                                        std::binary_search(ids.begin(),
                                                           ids.end(),
                                                           held.delivery_id);
                               }),
                held_.end());
  }
  void CreditDrained(uint32_t, uint32_t) override {}

  void Hold(const GetResult& got, int queue_number) {
    MutexLock lock(&mu_);
    for (const Delivery& delivery : got.deliveries) {
      const uint32_t message = MessageOf(delivery);
      if (queue_number >= 0) {
        ledger_->Delivered(queue_number, message, delivery.delivery_count);
      }
      held_.push_back({got.queue, queue_number, message, delivery.delivery_id});
    }
  }

  std::vector<Held> TakeHeld() {
    MutexLock lock(&mu_);
    return std::exchange(held_, {});
  }
  void PutBack(Held held) {
    MutexLock lock(&mu_);
    held_.push_back(std::move(held));
  }
  std::vector<ConsumerRef> MakeRoom(size_t room) {
    MutexLock lock(&mu_);
    room_ = room;
    std::vector<ConsumerRef> refs;
    for (const auto& [key, consumer] : consumers_) {
      if (consumer.ref.queue != nullptr) refs.push_back(consumer.ref);
    }
    return refs;
  }

 private:
  struct Consumer {
    int queue_number = -1;
    ConsumerRef ref;
    // The last message of each producer that came for the first time.
    absl::flat_hash_map<uint32_t, uint32_t> last;
  };

  // A message that nobody got before cannot have been overtaken by a later one
  // of its producer.
  void CheckOrder(Consumer* consumer, uint32_t message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const uint32_t producer = message / (kRounds * kMaxBatch);
    auto [last, first] = consumer->last.try_emplace(producer, message);
    if (!first && message <= last->second) {
      Complain(absl::StrCat("message ", message, " after ", last->second));
    }
    last->second = message;
  }

  Ledger* const ledger_;
  Mutex mu_;
  size_t room_ ABSL_GUARDED_BY(mu_) = 20;
  absl::flat_hash_map<uint32_t, Consumer> consumers_ ABSL_GUARDED_BY(mu_);
  std::vector<Held> held_ ABSL_GUARDED_BY(mu_);
};

// Calls that have not completed yet, and what publishing has come to.
struct Progress {
  std::atomic<int> open_calls{0};
  std::atomic<uint64_t> copies{0};  // taken by lasting queues
};

// What a message was published to, for the count at the end.
enum class Route : uint8_t { kNone, kQueue, kFan, kFlaky, kExtra };
struct Published {
  Route route = Route::kNone;
  int queue = 0;
};

class Producer {
 public:
  Producer(int number, Engine* engine, Progress* progress)
      : next_(number * kRounds * kMaxBatch),
        engine_(engine),
        progress_(progress) {}

  void Step(Random& random, std::vector<Published>* published) {
    PublishParams params;
    params.vhost = kVhost;
    // One batch goes to one exchange, so that its copies can be told apart.
    const int kind = Pick(random, 10);
    const Route route = kind < 6   ? Route::kQueue
                        : kind < 7 ? Route::kFan
                        : kind < 9 ? Route::kFlaky
                                   : Route::kExtra;
    int queue = Pick(random, kQueues);
    const int size = 1 + Pick(random, kMaxBatch);
    for (int i = 0; i < size; ++i) {
      if (Pick(random, 3) == 0) queue = Pick(random, kQueues);
      const uint32_t message = next_++;
      (*published)[message] = {route, queue};
      PublishItem item;
      const std::string body = absl::StrCat(message);
      switch (route) {
        case Route::kQueue:
          item.message = PlainMessage("", QueueName(queue), body);
          item.mandatory = true;
          break;
        case Route::kFan:
          item.message = PlainMessage("fan", "a.b", body);
          break;
        case Route::kFlaky:
          item.message =
              PlainMessage("flaky", absl::StrCat("k", queue % 10), body);
          break;
        default:
          item.message = PlainMessage("extra", "", body);
      }
      params.items.push_back(std::move(item));
    }
    progress_->open_calls.fetch_add(1);
    engine_->Publish(
        std::move(params),
        [progress = progress_, route](absl::StatusOr<PublishResult> result) {
          if (!result.ok() || !result->failures.empty()) {
            Complain("publish failed");
          } else if (route != Route::kExtra) {
            progress->copies.fetch_add(result->queue_count);
          }
          progress->open_calls.fetch_sub(1);
        });
  }

 private:
  uint32_t next_;
  Engine* const engine_;
  Progress* const progress_;
};

class Consumer {
 public:
  Consumer(int number, Engine* engine, Ledger* ledger, Progress* progress)
      : engine_(engine),
        ledger_(ledger),
        progress_(progress),
        next_wait_(uint64_t{1000000} * (number + 1)) {
    Connect();
  }

  void Step(Random& random) {
    const int what = Pick(random, 100);
    if (started_.size() < 6 || what < 8) {
      StartConsumer(random);
    } else if (what < 14) {
      CancelOne(random);
    } else if (what < 18) {
      Disconnect();
      Connect();
    } else if (what < 24) {
      GetSome(random);
    } else if (what < 30) {
      EndWaits();
    }
    SettleSome(random);
    if (Pick(random, 2) == 0) {
      engine_->Resume(sink_->MakeRoom(1 + Pick(random, 40)));
    }
  }

  void Disconnect() {
    EndWaits();
    // Release must name the queues of all deliveries: the gets come in first.
    while (connection_->open_gets.load() != 0) std::this_thread::yield();
    Collect();
    progress_->open_calls.fetch_add(1);
    engine_->Release({sink_, queues_},
                     [progress = progress_](absl::StatusOr<uint64_t> result) {
                       if (!result.ok()) Complain("release failed");
                       progress->open_calls.fetch_sub(1);
                     });
    sink_.reset();
  }

 private:
  // What the calls of a connection report to; they may complete after it.
  struct Connection {
    std::atomic<int> open_gets{0};
    Mutex mu;
    std::vector<ConsumerRef> started ABSL_GUARDED_BY(mu);
    std::vector<QueueRef> queues ABSL_GUARDED_BY(mu);
  };

  void Connect() {
    sink_ = std::make_shared<StressSink>(ledger_);
    connection_ = std::make_shared<Connection>();
    started_.clear();
    queues_.clear();
    next_key_ = 0;
  }

  // Consumers and queues that have become known since the last look.
  void Collect() {
    MutexLock lock(&connection_->mu);
    std::vector<ConsumerRef>& started = connection_->started;
    started_.insert(started_.end(), started.begin(), started.end());
    started.clear();
    std::vector<QueueRef>& queues = connection_->queues;
    queues_.insert(queues_.end(), queues.begin(), queues.end());
    queues.clear();
  }

  void StartConsumer(Random& random) {
    ConsumeParams params;
    params.vhost = kVhost;
    int number = Pick(random, kQueues);
    if (Pick(random, 10) == 0) {
      number = -1;
      params.queue = ExtraName(Pick(random, kExtraQueues));
    } else {
      params.queue = QueueName(number);
    }
    params.sink = sink_;
    params.consumer_key = next_key_++;
    params.consumer_tag = absl::StrCat("c", params.consumer_key);
    params.prefetch_count = Pick(random, 30);  // 0: no limit
    params.priority = Pick(random, 8) == 0 ? 1 : 0;
    sink_->Expect(params.consumer_key, number);
    auto done = std::make_shared<std::atomic<bool>>(false);
    engine_->Consume(
        params, [sink = sink_, connection = connection_, done, number,
                 key = params.consumer_key](absl::StatusOr<ConsumerRef> ref) {
          if (ref.ok()) {
            sink->Started(key, *ref);
            MutexLock lock(&connection->mu);
            connection->queues.push_back(ref->queue);
            connection->started.push_back(*std::move(ref));
          } else if (number >= 0) {
            Complain(absl::StrCat("consume failed: ", ref.status().message()));
          }
          done->store(true);
        });
    while (!done->load()) std::this_thread::yield();
    Collect();
  }

  void CancelOne(Random& random) {
    if (started_.empty()) return;
    const size_t at = Pick(random, static_cast<int>(started_.size()));
    progress_->open_calls.fetch_add(1);
    engine_->CancelConsumer(started_[at],
                            [progress = progress_](absl::Status status) {
                              if (!status.ok()) Complain("cancel failed");
                              progress->open_calls.fetch_sub(1);
                            });
    started_.erase(started_.begin() + at);
  }

  void GetSome(Random& random) {
    GetParams params;
    params.vhost = kVhost;
    const int number = Pick(random, kQueues);
    params.queue = QueueName(number);
    params.holder = sink_;
    params.max_messages = 1 + Pick(random, 5);
    if (Pick(random, 2) == 0) {
      params.max_messages = 1;
      params.wait_id = next_wait_++;
      waits_.push_back({kVhost, params.queue, params.wait_id});
    }
    connection_->open_gets.fetch_add(1);
    engine_->Get(params, [sink = sink_, number, connection = connection_](
                             absl::StatusOr<GetResult> got) {
      if (!got.ok()) {
        Complain(absl::StrCat("get failed: ", got.status().message()));
      } else {
        sink->Hold(*got, number);
        MutexLock lock(&connection->mu);
        connection->queues.push_back(got->queue);
      }
      connection->open_gets.fetch_sub(1);
    });
  }

  void EndWaits() {
    for (EndGetWaitParams& wait : waits_) engine_->EndGetWait(std::move(wait));
    waits_.clear();
  }

  void SettleSome(Random& random) {
    Collect();
    SettleParams params[2];
    params[0].action = SettleAction::kAck;
    params[1].action = SettleAction::kRequeue;
    std::vector<Held> acked;
    std::vector<Held> held = sink_->TakeHeld();
    std::shuffle(held.begin(), held.end(), random);
    for (Held& one : held) {
      const int what = Pick(random, 100);
      if (what >= 80 && what < 94) {
        sink_->PutBack(std::move(one));
        continue;
      }
      SettleParams& to = params[what < 80 ? 0 : 1];
      auto part = std::find_if(
          to.deliveries.begin(), to.deliveries.end(),
          [&](const QueueDeliveries& d) { return d.queue == one.queue; });
      if (part == to.deliveries.end()) {
        to.deliveries.push_back({one.queue, {}});
        part = to.deliveries.end() - 1;
      }
      part->delivery_ids.push_back(one.delivery_id);
      if (what < 80 && one.number >= 0) acked.push_back(std::move(one));
    }
    for (SettleParams& one : params) {
      for (QueueDeliveries& part : one.deliveries) {
        std::sort(part.delivery_ids.begin(), part.delivery_ids.end());
      }
      progress_->open_calls.fetch_add(1);
      const bool is_ack = one.action == SettleAction::kAck;
      engine_->Settle(std::move(one),
                      [progress = progress_, ledger = ledger_,
                       acked = is_ack ? std::move(acked) : std::vector<Held>()](
                          absl::StatusOr<SettleResult> result) {
                        if (!result.ok()) Complain("settle failed");
                        for (const QueueDeliveries& lost : result->lost) {
                          if (lost.queue->name()[0] == 'q')
                            Complain("delivery lost");
                        }
                        for (const Held& one : acked) {
                          ledger->Acked(one.number, one.message);
                        }
                        progress->open_calls.fetch_sub(1);
                      });
    }
  }

  Engine* const engine_;
  Ledger* const ledger_;
  Progress* const progress_;
  std::shared_ptr<StressSink> sink_;
  std::shared_ptr<Connection> connection_;
  std::vector<ConsumerRef> started_;
  std::vector<QueueRef> queues_;
  std::vector<EndGetWaitParams> waits_;
  uint32_t next_key_ = 0;
  uint64_t next_wait_;
};

// Declares, binds, unbinds and deletes beside the traffic.
class Planner {
 public:
  Planner(int number, Engine* engine) : owner_(number + 1), engine_(engine) {}

  void Step(Random& random) {
    const std::string extra = ExtraName(Pick(random, kExtraQueues));
    BindParams bind;
    bind.vhost = kVhost;
    bind.owner = owner_;
    switch (Pick(random, 6)) {
      case 0:
      case 1: {
        DeclareQueueParams params;
        params.vhost = kVhost;
        params.owner = owner_;
        params.spec.name = extra;
        params.spec.auto_delete = Pick(random, 2) == 0;
        params.spec.exclusive = Pick(random, 6) == 0;
        if (Pick(random, 4) == 0) {
          params.spec.arguments = {{"x-expires", int32_t{2}}};
        }
        engine_->DeclareQueue(params, [](auto) {});
        bind.binding.source = "extra";
        bind.binding.destination = extra;
        engine_->Bind(bind, [](auto) {});
        break;
      }
      case 2:
        engine_->DeleteQueue({kVhost, owner_, extra, Pick(random, 2) == 0},
                             [](auto) {});
        break;
      case 3:
      case 4: {
        const int queue = Pick(random, kQueues);
        bind.binding.source = "flaky";
        bind.binding.destination = QueueName(queue);
        bind.binding.routing_key = absl::StrCat("k", queue % 10);
        if (Pick(random, 2) == 0) {
          engine_->Bind(bind, [](absl::StatusOr<bool> result) {
            if (!result.ok()) Complain("bind failed");
          });
        } else {
          engine_->Unbind(bind, [](absl::StatusOr<bool> result) {
            if (!result.ok()) Complain("unbind failed");
          });
        }
        break;
      }
      default:
        if (Pick(random, 4) == 0) {
          engine_->EndOwner(kVhost, owner_, [](auto) {});
        } else {
          ListParams params;
          params.vhost = kVhost;
          params.limit = 20;
          engine_->ListConsumers(params, [](auto page) {
            if (!page.ok()) Complain("list failed");
          });
          engine_->ListQueues(params, [](auto) {});
        }
    }
  }

 private:
  const OwnerId owner_;
  Engine* const engine_;
};

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
