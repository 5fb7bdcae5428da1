// Queue: strand, completions, counts, timers. The rules are tested on
// QueueCore.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/queue/queue.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/manual_executor.h"
#include "tests/testing/plain_message.h"
#include "tests/testing/reason_of.h"
#include "tests/testing/recording_sink.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Tells an observer of each call.
class TellingSink : public RecordingSink {
 public:
  explicit TellingSink(std::vector<std::string>* log) : log_(log) {}
  void Deliver(uint32_t key, std::vector<Delivery> deliveries) override {
    log_->push_back("deliver");
    RecordingSink::Deliver(key, std::move(deliveries));
  }
  void ConsumerCancelled(uint32_t key, CancelReason reason, absl::Status error,
                         uint64_t required_bytes) override {
    log_->push_back("cancelled");
    RecordingSink::ConsumerCancelled(key, reason, std::move(error),
                                     required_bytes);
  }
  void DeliveriesLost(const QueueRef& queue, absl::Span<const uint64_t> ids,
                      LostReason reason) override {
    log_->push_back("lost");
    RecordingSink::DeliveriesLost(queue, ids, reason);
  }

 private:
  std::vector<std::string>* log_;
};

class QueueTest : public ::testing::Test {
 protected:
  std::shared_ptr<Queue> Make(Table arguments = {}, bool auto_delete = false) {
    QueueSpec spec;
    spec.name = "q";
    spec.auto_delete = auto_delete;
    spec.arguments = std::move(arguments);
    return Make(std::move(spec), kNoOwner);
  }
  std::shared_ptr<Queue> Make(QueueSpec spec, OwnerId owner) {
    QueueEnvironment environment;
    environment.clock = &clock_;
    environment.timers = &timers_;
    environment.executor = &executor_;
    environment.vhost = "v";
    environment.on_closed = [this](const QueueRef& queue, CancelReason reason) {
      EXPECT_EQ(queue->name(), "q");
      log_.push_back("closed");
      closed_.push_back(reason);
    };
    return Queue::Create(std::move(spec), owner, std::move(environment));
  }

  static void Publish(Queue& queue, const std::vector<std::string>& bodies) {
    std::vector<MessageRef> messages;
    for (const std::string& body : bodies) {
      messages.push_back(PlainMessage("", "q", body));
    }
    bool done = false;
    queue.Enqueue(std::move(messages), [&done](std::vector<uint32_t> refused) {
      EXPECT_TRUE(refused.empty());
      done = true;
    });
    EXPECT_TRUE(done);
  }
  ConsumerId Consume(Queue& queue, const SinkRef& sink, uint32_t prefetch = 0) {
    ConsumeParams params;
    params.sink = sink;
    params.prefetch_count = prefetch;
    ConsumerId consumer = 0;
    queue.Consume(std::move(params), [&](absl::StatusOr<ConsumerId> id) {
      ASSERT_TRUE(id.ok()) << id.status();
      log_.push_back("started");
      consumer = *id;
    });
    return consumer;
  }
  std::optional<absl::StatusOr<GetResult>>& Get(Queue& queue,
                                                const SinkRef& holder,
                                                uint32_t max_messages = 1,
                                                uint64_t wait_id = 0) {
    GetParams params;
    params.holder = holder;
    params.max_messages = max_messages;
    params.wait_id = wait_id;
    auto& answer = answers_.emplace_back();
    queue.Get(std::move(params), [&](absl::StatusOr<GetResult> result) {
      EXPECT_FALSE(answer.has_value());
      log_.push_back("got");
      answer = std::move(result);
    });
    return answer;
  }
  void Delete(Queue& queue) {
    queue.Delete(false, false, [this](absl::StatusOr<std::optional<uint64_t>>) {
      log_.push_back("deleted");
    });
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    timers_.RunDue();
    executor_.RunAll();
  }

  FakeClock clock_;
  ManualExecutor executor_;
  TimerQueue timers_{&clock_, &executor_};
  std::deque<std::optional<absl::StatusOr<GetResult>>> answers_;
  std::vector<std::string> log_;
  std::vector<CancelReason> closed_;
};

TEST_F(QueueTest, CONS_01_DoneRunsBeforeTheFirstDelivery) {
  auto queue = Make();
  Publish(*queue, {"1"});
  auto sink = std::make_shared<TellingSink>(&log_);
  Consume(*queue, sink);
  EXPECT_THAT(log_, ElementsAre("started", "deliver"));
}

// More than make a queue crowded.
std::vector<std::string> Crowd() { return std::vector<std::string>(4200); }

TEST_F(QueueTest, OnlyAQueueThatIsConsumedIsCrowded) {
  auto queue = Make();
  Publish(*queue, Crowd());
  EXPECT_FALSE(queue->IsCrowded());
  auto sink = std::make_shared<RecordingSink>();
  const ConsumerId consumer = Consume(*queue, sink, 1);
  EXPECT_TRUE(queue->IsCrowded());
  queue->CancelConsumer(consumer, [](absl::Status) {});
  EXPECT_FALSE(queue->IsCrowded());
}

TEST_F(QueueTest, ReliefComesWhenHalfIsTakenOrNobodyConsumesOrItIsGone) {
  for (const std::string how : {"taken", "cancelled", "deleted"}) {
    auto queue = Make();
    Publish(*queue, Crowd());
    auto sink = std::make_shared<RecordingSink>();
    const ConsumerId consumer = Consume(*queue, sink, 1);
    int relieved = 0;
    queue->WhenRelieved([&] { ++relieved; });
    EXPECT_EQ(relieved, 0);
    if (how == "taken") {
      Get(*queue, sink, 2000);
      EXPECT_EQ(relieved, 0);
      Get(*queue, sink, 300);
    } else if (how == "cancelled") {
      queue->CancelConsumer(consumer, [](absl::Status) {});
    } else {
      Delete(*queue);
    }
    EXPECT_EQ(relieved, 1) << how;
    queue->WhenRelieved([&] { ++relieved; });
    EXPECT_EQ(relieved, 2) << "it is already";
  }
}

TEST_F(QueueTest, NotAllMayWaitForRelief) {
  auto queue = Make();
  Publish(*queue, Crowd());
  Consume(*queue, std::make_shared<RecordingSink>(), 1);
  int relieved = 0;
  for (int i = 0; i < 1030; ++i) queue->WhenRelieved([&] { ++relieved; });
  EXPECT_EQ(relieved, 6);
  Delete(*queue);
  EXPECT_EQ(relieved, 1030);
}

TEST_F(QueueTest, RoomForSeveralIsAskedForAtOnceAndTheRestGivenBack) {
  struct WideSink : RecordingSink {
    uint32_t Reserve(uint32_t, size_t bytes, uint32_t wanted) override {
      asked.push_back(wanted);
      reserved += wanted * bytes;
      return wanted;
    }
    void GiveBack(uint32_t, uint32_t, size_t bytes) override {
      reserved -= bytes;
      EXPECT_TRUE(delivered().empty()) << "before anything else";
    }
    std::vector<uint32_t> asked;
    size_t reserved = 0;
  };
  auto queue = Make();
  Publish(*queue, {"one", "two", "three", "much longer than these"});
  auto sink = std::make_shared<WideSink>();
  Consume(*queue, sink, 10);
  size_t used = 0;
  for (const auto& delivered : sink->delivered()) {
    used += EncodedDeliveryBytes(*delivered.delivery.message);
  }
  EXPECT_THAT(sink->bodies(), SizeIs(4));
  EXPECT_EQ(sink->reserved, used);
  // The last is longer than what was left of the room.
  EXPECT_THAT(sink->asked, ElementsAre(4u, 1u));
}

TEST_F(QueueTest, InfoIsExactWhenACompletionRuns) {
  auto queue = Make();
  auto sink = std::make_shared<RecordingSink>();
  Consume(*queue, sink, 1);
  queue->Enqueue({PlainMessage("", "q", "four"), PlainMessage("", "q", "six")},
                 [&](std::vector<uint32_t>) {
                   EXPECT_EQ(queue->info().messages_ready, 1u);
                   EXPECT_EQ(queue->info().messages_unacked, 1u);
                   EXPECT_EQ(queue->info().message_bytes, 7u);
                   EXPECT_EQ(queue->info().consumer_count, 1u);
                 });
  EXPECT_EQ(queue->info().idle_since, absl::InfinitePast());
  queue->Release(sink, [&](uint64_t requeued) {
    EXPECT_EQ(requeued, 1u);
    EXPECT_EQ(queue->info().messages_ready, 2u);
    EXPECT_EQ(queue->info().consumer_count, 0u);
    EXPECT_EQ(queue->info().idle_since, clock_.Now());
  });
}

TEST_F(QueueTest, QDECL_01_InfoCountsReadyMessagesAndConsumers) {
  auto queue = Make();
  EXPECT_EQ(queue->info().spec.name, "q");
  EXPECT_EQ(queue->info().messages_ready, 0u);
  Publish(*queue, {"1", "2"});
  EXPECT_EQ(queue->info().messages_ready, 2u);
  EXPECT_EQ(queue->info().consumer_count, 0u);
}

TEST_F(QueueTest, CANCEL_01_DeleteFreesTheNameThenTellsSinksGetsAndCaller) {
  auto queue = Make();
  auto sink = std::make_shared<TellingSink>(&log_);
  Consume(*queue, sink);
  Publish(*queue, {"1"});
  Consume(*queue, sink);
  UpdateConsumerParams pause;
  pause.paused = true;
  for (ConsumerId id : {1, 2}) {
    pause.consumer.consumer_id = id;
    queue->UpdateConsumer(pause, [](absl::Status) {});
  }
  Get(*queue, sink, 1, /*wait_id=*/1);
  log_.clear();
  Delete(*queue);
  EXPECT_THAT(log_, ElementsAre("closed", "lost", "cancelled", "cancelled",
                                "got", "deleted"));
  EXPECT_EQ(sink->lost()[0].queue, queue);
  EXPECT_EQ(ReasonOf(*answers_.back()), "QUEUE_DELETED");
  Delete(*queue);
  EXPECT_THAT(closed_, ElementsAre(CancelReason::kQueueDeleted));
}

TEST_F(QueueTest, QLIFE_01_ExclusiveQueuesAreLockedForOthers) {
  QueueSpec spec;
  spec.name = "q";
  spec.exclusive = true;
  auto queue = Make(spec, /*owner=*/7);
  EXPECT_TRUE(queue->CheckAccess(7).ok());
  for (OwnerId other : {OwnerId{8}, kNoOwner}) {
    const absl::Status locked = queue->CheckAccess(other);
    EXPECT_EQ(ReasonOf(locked), "RESOURCE_LOCKED");
    EXPECT_EQ(InfoOf(locked).amqp_code, 405);
  }
  EXPECT_TRUE(Make()->CheckAccess(8).ok());
}

TEST_F(QueueTest, QLIFE_03_CancelOfTheLastConsumerClosesAutoDelete) {
  auto queue = Make({}, /*auto_delete=*/true);
  auto sink = std::make_shared<RecordingSink>();
  const ConsumerId id = Consume(*queue, sink);
  queue->CancelConsumer(id, [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok());
    EXPECT_THAT(closed_, SizeIs(1)) << "closed before the call completes";
  });
  EXPECT_THAT(closed_, ElementsAre(CancelReason::kQueueDeleted));
}

TEST_F(QueueTest, QEXP_01_TheTimerExpiresTheQueue) {
  auto queue = Make({{"x-expires", int32_t{1000}}});
  Pass(absl::Milliseconds(999));
  EXPECT_THAT(closed_, IsEmpty());
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(closed_, ElementsAre(CancelReason::kQueueExpired));
}

TEST_F(QueueTest, QEXP_03_TouchRenewsTheLease) {
  auto queue = Make({{"x-expires", int32_t{1000}}});
  Pass(absl::Milliseconds(600));
  queue->Touch();
  EXPECT_EQ(queue->info().idle_since, clock_.Now());
  Pass(absl::Milliseconds(600));
  EXPECT_THAT(closed_, IsEmpty());
  Pass(absl::Milliseconds(400));
  EXPECT_THAT(closed_, SizeIs(1));
}

TEST_F(QueueTest, QEXP_02_TheTimerComesBackWhenTheLastConsumerLeaves) {
  auto queue = Make({{"x-expires", int32_t{1000}}});
  auto sink = std::make_shared<RecordingSink>();
  const ConsumerId id = Consume(*queue, sink);
  Pass(absl::Seconds(10));
  queue->CancelConsumer(id, [](absl::Status) {});
  Pass(absl::Milliseconds(999));
  EXPECT_THAT(closed_, IsEmpty());
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(closed_, SizeIs(1));
}

TEST_F(QueueTest, LIMIT_05_TheTimerEndsDeliveries) {
  auto queue = Make({{"x-consumer-timeout", int32_t{1000}}});
  auto sink = std::make_shared<RecordingSink>();
  Consume(*queue, sink, 1);
  Publish(*queue, {"1"});
  Pass(absl::Milliseconds(999));
  EXPECT_THAT(sink->lost(), IsEmpty());
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(sink->lost(), SizeIs(1));
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "1"));
  Pass(absl::Seconds(1));
  EXPECT_THAT(sink->lost(), SizeIs(2));
  // The sink remembers the queue, and the queue its consumer's sink.
  queue->Release(sink, [](uint64_t) {});
}

TEST_F(QueueTest, GetAnswersWithTheQueue) {
  auto queue = Make();
  Publish(*queue, {"1"});
  auto sink = std::make_shared<RecordingSink>();
  auto& now = Get(*queue, sink);
  ASSERT_TRUE(now.has_value());
  EXPECT_EQ((*now)->queue, queue);
  auto& later = Get(*queue, sink, 1, /*wait_id=*/1);
  EXPECT_FALSE(later.has_value());
  Publish(*queue, {"2"});
  ASSERT_TRUE(later.has_value());
  EXPECT_EQ((*later)->queue, queue);
  EXPECT_THAT((*later)->deliveries, SizeIs(1));
  EXPECT_THAT(sink->bodies(), IsEmpty()) << "the result delivers";
}

TEST_F(QueueTest, EndGetWaitCompletesTheGet) {
  auto queue = Make();
  auto& answer = Get(*queue, std::make_shared<RecordingSink>(), 1, 1);
  queue->EndGetWait(1);
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT((*answer)->deliveries, IsEmpty());
  queue->EndGetWait(1);
}

TEST_F(QueueTest, CallsOnAClosedQueueComplete) {
  auto queue = Make();
  auto sink = std::make_shared<RecordingSink>();
  Delete(*queue);
  Publish(*queue, {"1"});
  EXPECT_EQ(ReasonOf(*Get(*queue, sink)), "QUEUE_DELETED");
  int completed = 0;
  queue->Consume({}, [&](absl::StatusOr<ConsumerId> id) {
    EXPECT_EQ(ReasonOf(id), "QUEUE_DELETED");
    ++completed;
  });
  queue->CancelConsumer(1, [&](absl::Status status) {
    EXPECT_TRUE(status.ok());
    ++completed;
  });
  queue->Settle(SettleAction::kAck, {1, 2}, [&](std::vector<uint64_t> lost) {
    EXPECT_THAT(lost, ElementsAre(1, 2));
    ++completed;
  });
  queue->Release(sink, [&](uint64_t requeued) {
    EXPECT_EQ(requeued, 0u);
    ++completed;
  });
  queue->Purge([&](uint64_t dropped) {
    EXPECT_EQ(dropped, 0u);
    ++completed;
  });
  queue->Delete(true, true, [&](absl::StatusOr<std::optional<uint64_t>> ready) {
    EXPECT_EQ(*ready, std::nullopt);
    ++completed;
  });
  queue->ListConsumers([&](std::vector<ConsumerInfo> list) {
    EXPECT_THAT(list, IsEmpty());
    ++completed;
  });
  queue->Touch();
  queue->Resume({1});
  EXPECT_EQ(completed, 7);
}

TEST_F(QueueTest, NeitherSinkNorTimerKeepsAQueueAlive) {
  auto queue = Make({{"x-expires", int32_t{1000}}});
  auto sink = std::make_shared<RecordingSink>();
  const ConsumerId id = Consume(*queue, sink);
  Publish(*queue, {"1"});
  queue->CancelConsumer(id, [](absl::Status) {});
  queue->Settle(SettleAction::kAck, {1}, [](std::vector<uint64_t>) {});
  EXPECT_EQ(sink.use_count(), 1);
  std::weak_ptr<Queue> gone = queue;
  queue.reset();
  EXPECT_TRUE(gone.expired());
  Pass(absl::Seconds(2));
  EXPECT_THAT(closed_, IsEmpty());
}

TEST_F(QueueTest, ResumeAfterRefusalGoesOn) {
  auto queue = Make();
  auto sink = std::make_shared<RecordingSink>();
  sink->set_room(1);
  const ConsumerId id = Consume(*queue, sink);
  Publish(*queue, {"1", "2"});
  EXPECT_THAT(sink->bodies(), ElementsAre("1"));
  sink->set_room(1);
  queue->Resume({id});
  EXPECT_THAT(sink->bodies(), ElementsAre("1", "2"));
}

TEST_F(QueueTest, DrainIsAnswered) {
  auto queue = Make();
  auto sink = std::make_shared<RecordingSink>();
  ConsumeParams params;
  params.sink = sink;
  params.manual_credit = true;
  ConsumerId consumer = 0;
  queue->Consume(params,
                 [&](absl::StatusOr<ConsumerId> id) { consumer = *id; });
  GrantCreditParams grant;
  grant.consumer.consumer_id = consumer;
  grant.messages = 3;
  grant.drain = true;
  queue->GrantCredit(grant, [](absl::Status) {});
  ASSERT_THAT(sink->drained(), SizeIs(1));
  EXPECT_EQ(sink->drained()[0].unused_credit, 3u);
}

}  // namespace
}  // namespace kelpmq::service::testing
