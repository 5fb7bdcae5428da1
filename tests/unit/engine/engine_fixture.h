#ifndef KELPMQ_TESTS_UNIT_ENGINE_ENGINE_FIXTURE_H_
#define KELPMQ_TESTS_UNIT_ENGINE_ENGINE_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/base/timer_queue.h"
#include "service/engine/memory/memory_engine.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/manual_executor.h"
#include "tests/testing/plain_message.h"
#include "tests/testing/reason_of.h"
#include "tests/testing/recording_sink.h"

namespace kelpmq::service::testing {

// A memory engine with manual time, and its calls as plain functions in the
// vhost `vhost_` as `owner_`, both of which a test may set.
class EngineTest : public ::testing::Test {
 protected:
  static constexpr OwnerId kAlice = 1;
  static constexpr OwnerId kBob = 2;

  // Makes a call and returns what it completed with.
  template <typename Result, typename Call>
  absl::StatusOr<Result> Await(Call call) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<Result>>>();
    call(Done<Result>([answer](absl::StatusOr<Result> result) {
      EXPECT_FALSE(answer->has_value()) << "completed twice";
      *answer = std::move(result);
    }));
    executor_.RunAll();
    if (!answer->has_value()) return absl::InternalError("never completed");
    return **std::move(answer);
  }
  template <typename Call>
  absl::Status AwaitStatus(Call call) {
    auto answer = std::make_shared<std::optional<absl::Status>>();
    call(DoneStatus([answer](absl::Status status) {
      EXPECT_FALSE(answer->has_value()) << "completed twice";
      *answer = std::move(status);
    }));
    executor_.RunAll();
    if (!answer->has_value()) return absl::InternalError("never completed");
    return **std::move(answer);
  }

  // Lets time pass, and what falls due meanwhile happen in its time.
  void Pass(absl::Duration time) {
    constexpr absl::Duration kStep = absl::Milliseconds(10);
    for (; time > absl::ZeroDuration(); time -= kStep) {
      clock_.Advance(std::min(time, kStep));
      timers_.RunDue();
      executor_.RunAll();
    }
  }

  // ---- Topology ----

  absl::StatusOr<DeclareExchangeResult> DeclareExchange(
      const std::string& name, const std::string& type = "direct",
      bool auto_delete = false) {
    DeclareExchangeParams params;
    params.vhost = vhost_;
    params.spec.name = name;
    params.spec.type = type;
    params.spec.auto_delete = auto_delete;
    return Await<DeclareExchangeResult>([&](auto done) {
      engine_.DeclareExchange(std::move(params), std::move(done));
    });
  }
  absl::StatusOr<bool> DeleteExchange(const std::string& name) {
    return Await<bool>([&](auto done) {
      engine_.DeleteExchange({vhost_, name, false}, std::move(done));
    });
  }
  bool HasExchange(const std::string& name) {
    return Await<ExchangeInfo>([&](auto done) {
             engine_.GetExchange({vhost_, name}, std::move(done));
           })
        .ok();
  }

  absl::StatusOr<DeclareQueueResult> Declare(QueueSpec spec,
                                             bool passive = false) {
    DeclareQueueParams params;
    params.vhost = vhost_;
    params.owner = owner_;
    params.spec = std::move(spec);
    params.passive = passive;
    return Await<DeclareQueueResult>([&](auto done) {
      engine_.DeclareQueue(std::move(params), std::move(done));
    });
  }
  absl::StatusOr<DeclareQueueResult> Declare(const std::string& name,
                                             Table arguments = {}) {
    QueueSpec spec;
    spec.name = name;
    spec.arguments = std::move(arguments);
    return Declare(std::move(spec));
  }
  absl::StatusOr<DeclareQueueResult> DeclarePassive(const std::string& name) {
    QueueSpec spec;
    spec.name = name;
    return Declare(std::move(spec), /*passive=*/true);
  }
  absl::StatusOr<DeclareQueueResult> DeclareExclusive(const std::string& name) {
    QueueSpec spec;
    spec.name = name;
    spec.exclusive = true;
    return Declare(std::move(spec));
  }
  absl::StatusOr<DeclareQueueResult> DeclareAutoDelete(
      const std::string& name) {
    QueueSpec spec;
    spec.name = name;
    spec.auto_delete = true;
    return Declare(std::move(spec));
  }
  bool HasQueue(const std::string& name) { return FindQueue(name).ok(); }
  absl::StatusOr<QueueInfo> FindQueue(const std::string& name) {
    return Await<QueueInfo>([&](auto done) {
      engine_.GetQueue({vhost_, name}, std::move(done));
    });
  }
  absl::StatusOr<DeleteQueueResult> DeleteQueue(const std::string& name,
                                                bool if_unused = false,
                                                bool if_empty = false) {
    return Await<DeleteQueueResult>([&](auto done) {
      engine_.DeleteQueue({vhost_, owner_, name, if_unused, if_empty},
                          std::move(done));
    });
  }
  absl::StatusOr<uint64_t> Purge(const std::string& name) {
    return Await<uint64_t>([&](auto done) {
      engine_.PurgeQueue({vhost_, owner_, name}, std::move(done));
    });
  }
  absl::StatusOr<EndOwnerResult> EndOwner(OwnerId owner) {
    return Await<EndOwnerResult>(
        [&](auto done) { engine_.EndOwner(vhost_, owner, std::move(done)); });
  }

  BindParams Binding(const std::string& source, const std::string& destination,
                     const std::string& routing_key, DestinationKind kind,
                     Table arguments) {
    return {vhost_,
            owner_,
            {source, kind, destination, routing_key, std::move(arguments)}};
  }
  absl::StatusOr<bool> Bind(const std::string& exchange,
                            const std::string& queue,
                            const std::string& routing_key = "",
                            Table arguments = {}) {
    return Await<bool>([&](auto done) {
      engine_.Bind(Binding(exchange, queue, routing_key,
                           DestinationKind::kQueue, arguments),
                   std::move(done));
    });
  }
  absl::StatusOr<bool> Unbind(const std::string& exchange,
                              const std::string& queue,
                              const std::string& routing_key = "",
                              Table arguments = {}) {
    return Await<bool>([&](auto done) {
      engine_.Unbind(Binding(exchange, queue, routing_key,
                             DestinationKind::kQueue, arguments),
                     std::move(done));
    });
  }
  absl::StatusOr<bool> BindExchange(const std::string& source,
                                    const std::string& destination,
                                    const std::string& routing_key = "") {
    return Await<bool>([&](auto done) {
      engine_.Bind(Binding(source, destination, routing_key,
                           DestinationKind::kExchange, {}),
                   std::move(done));
    });
  }

  // ---- Publishing ----

  absl::StatusOr<PublishResult> PublishItems(std::vector<PublishItem> items) {
    return Await<PublishResult>([&](auto done) {
      engine_.Publish({vhost_, std::move(items)}, std::move(done));
    });
  }
  static PublishItem Item(const std::string& exchange,
                          const std::string& routing_key,
                          const std::string& body, bool mandatory = false) {
    PublishItem item;
    item.message = PlainMessage(exchange, routing_key, body);
    item.mandatory = mandatory;
    return item;
  }
  // One message each, in one batch.
  absl::StatusOr<PublishResult> Publish(const std::string& exchange,
                                        const std::string& routing_key,
                                        const std::vector<std::string>& bodies,
                                        bool mandatory = false) {
    std::vector<PublishItem> items;
    for (const std::string& body : bodies) {
      items.push_back(Item(exchange, routing_key, body, mandatory));
    }
    return PublishItems(std::move(items));
  }

  // ---- Receiving ----

  absl::StatusOr<GetResult> Get(const std::string& queue, SinkRef holder,
                                uint32_t max_messages = 1) {
    GetParams params;
    params.vhost = vhost_;
    params.queue = queue;
    params.owner = owner_;
    params.holder = std::move(holder);
    params.max_messages = max_messages;
    return Await<GetResult>(
        [&](auto done) { engine_.Get(std::move(params), std::move(done)); });
  }
  // Takes all ready messages for good.
  std::vector<std::string> Drain(const std::string& queue) {
    std::vector<std::string> bodies;
    auto holder = std::make_shared<RecordingSink>();
    while (true) {
      absl::StatusOr<GetResult> got = Get(queue, holder, 100);
      if (!got.ok()) {
        ADD_FAILURE() << got.status();
        return bodies;
      }
      if (got->deliveries.empty()) return bodies;
      std::vector<uint64_t> ids;
      for (const Delivery& delivery : got->deliveries) {
        bodies.push_back(BodyOf(*delivery.message));
        ids.push_back(delivery.delivery_id);
      }
      EXPECT_TRUE(Settle(SettleAction::kAck, got->queue, ids).ok());
    }
  }

  ConsumeParams Consumer(const std::string& queue, SinkRef sink,
                         uint32_t consumer_key = 0) {
    ConsumeParams params;
    params.vhost = vhost_;
    params.queue = queue;
    params.owner = owner_;
    params.sink = std::move(sink);
    params.consumer_key = consumer_key;
    params.consumer_tag = "tag" + std::to_string(consumer_key);
    return params;
  }
  absl::StatusOr<ConsumerRef> Consume(ConsumeParams params) {
    return Await<ConsumerRef>([&](auto done) {
      engine_.Consume(std::move(params), std::move(done));
    });
  }
  absl::StatusOr<ConsumerRef> Consume(const std::string& queue, SinkRef sink,
                                      uint32_t consumer_key = 0) {
    return Consume(Consumer(queue, std::move(sink), consumer_key));
  }
  absl::Status Cancel(const ConsumerRef& consumer) {
    return AwaitStatus(
        [&](auto done) { engine_.CancelConsumer(consumer, std::move(done)); });
  }
  absl::StatusOr<SettleResult> Settle(SettleAction action,
                                      const QueueRef& queue,
                                      std::vector<uint64_t> delivery_ids) {
    return Await<SettleResult>([&](auto done) {
      engine_.Settle({action, {{queue, std::move(delivery_ids)}}},
                     std::move(done));
    });
  }
  absl::StatusOr<uint64_t> Release(SinkRef sink, std::vector<QueueRef> queues) {
    return Await<uint64_t>([&](auto done) {
      engine_.Release({std::move(sink), std::move(queues)}, std::move(done));
    });
  }

  static std::shared_ptr<RecordingSink> NewSink() {
    return std::make_shared<RecordingSink>();
  }

  std::string vhost_ = "/";
  OwnerId owner_ = kAlice;
  FakeClock clock_;
  ManualExecutor executor_;
  TimerQueue timers_{&clock_, &executor_};
  MemoryEngine engine_{&clock_, &timers_, &executor_};
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_UNIT_ENGINE_ENGINE_FIXTURE_H_
