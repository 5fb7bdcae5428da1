#ifndef KELPMQ_TESTS_FAULT_STRESS_ACTORS_H_
#define KELPMQ_TESTS_FAULT_STRESS_ACTORS_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/mutex.h"
#include "service/engine/engine.h"
#include "tests/fault/stress_sink.h"
#include "tests/testing/plain_message.h"

namespace kelpmq::service::testing {

// Who makes the traffic of the engine stress test, a step at a time. Each actor
// is stepped by one thread only, as a client's calls come from one stream.

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

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_FAULT_STRESS_ACTORS_H_
