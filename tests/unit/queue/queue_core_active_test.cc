// Single active consumer (SAC), and what a quorum queue asks of consumers.

#include "tests/unit/queue/core_fixture.h"

namespace kelpmq::service::testing {
namespace {

const Table kSac = {{"x-single-active-consumer", true}};
const Table kQuorumSac = {{"x-single-active-consumer", true},
                          {"x-queue-type", "quorum"}};

class SingleActiveTest : public CoreTest {
 protected:
  ConsumerId ConsumeWithPriority(const SinkRef& sink, int32_t priority) {
    return Consume(sink, SetConsume([priority](ConsumeParams& params) {
                     params.priority = priority;
                   }));
  }
  std::vector<bool> Active() {
    std::vector<bool> active;
    for (const ConsumerInfo& info : core().ListConsumers()) {
      active.push_back(info.active);
    }
    return active;
  }
};

TEST_F(SingleActiveTest, SAC_01_TheFirstRegisteredGetsAll) {
  Make(kSac);
  auto first = MakeSink(), second = MakeSink();
  Consume(first);
  Consume(second);
  Publish({"1", "2", "3"});
  EXPECT_THAT(first->bodies(), ElementsAre("1", "2", "3"));
  EXPECT_THAT(second->bodies(), IsEmpty());
  EXPECT_THAT(Active(), ElementsAre(true, false));
}

TEST_F(SingleActiveTest, SAC_01_ItsWindowHoldsTheQueueBack) {
  Make(kSac);
  auto first = MakeSink(), second = MakeSink();
  Consume(first, 1);
  Consume(second);
  Publish({"1", "2"});
  EXPECT_THAT(second->bodies(), IsEmpty());
  EXPECT_EQ(core().ready_count(), 1u);
}

TEST_F(SingleActiveTest, SAC_01_OnItsCancelTheNextTakesOver) {
  Make(kSac);
  auto first = MakeSink(), second = MakeSink(), third = MakeSink();
  const ConsumerId id = Consume(first, 1);
  Consume(second, 1);
  Consume(third, 1);
  Publish({"1", "2", "3"});
  EXPECT_THAT(second->bodies(), IsEmpty());
  Cancel(id);
  EXPECT_THAT(second->bodies(), ElementsAre("2"));
  // What is out stays with the old one.
  EXPECT_EQ(core().unacked_count(), 2u);
  EXPECT_THAT(Active(), ElementsAre(true, false));
}

TEST_F(SingleActiveTest, SAC_02_WhatAGoneStreamHeldGoesToTheNext) {
  Make(kSac);
  auto first = MakeSink(), second = MakeSink();
  Consume(first);
  Consume(second);
  Publish({"1", "2"});
  Release(first);
  EXPECT_THAT(second->bodies(), ElementsAre("1", "2"));
  EXPECT_EQ(second->delivered()[0].delivery.delivery_count, 1u);
}

TEST_F(SingleActiveTest, SAC_03_AHigherPriorityDoesNotTakeOverInAClassicQueue) {
  Make(kSac);
  auto low = MakeSink(), high = MakeSink();
  const ConsumerId id = ConsumeWithPriority(low, 1);
  auto middle = MakeSink();
  ConsumeWithPriority(middle, 5);
  ConsumeWithPriority(high, 9);
  Publish({"1"});
  EXPECT_THAT(low->bodies(), ElementsAre("1"));
  // But it is the first to follow.
  Cancel(id);
  Publish({"2"});
  EXPECT_THAT(high->bodies(), ElementsAre("2"));
}

TEST_F(SingleActiveTest, SAC_03_InAQuorumQueueItTakesOverOnceAllIsSettled) {
  Make(kQuorumSac);
  auto low = MakeSink(), high = MakeSink();
  ConsumeWithPriority(low, 1);
  Publish({"1", "2"});
  ConsumeWithPriority(high, 9);
  Publish({"3"});
  EXPECT_THAT(low->bodies(), ElementsAre("1", "2"));
  EXPECT_THAT(high->bodies(), IsEmpty());
  EXPECT_THAT(Active(), ElementsAre(true, false));
  Ack({1});
  EXPECT_THAT(high->bodies(), IsEmpty());
  Ack({2});
  EXPECT_THAT(high->bodies(), ElementsAre("3"));
  EXPECT_THAT(Active(), ElementsAre(false, true));
}

TEST_F(SingleActiveTest, SAC_03_InAQuorumQueueAnIdleOneYieldsAtOnce) {
  Make(kQuorumSac);
  auto low = MakeSink(), high = MakeSink(), equal = MakeSink();
  ConsumeWithPriority(low, 1);
  ConsumeWithPriority(high, 9);
  ConsumeWithPriority(equal, 9);
  Publish({"1"});
  EXPECT_THAT(high->bodies(), ElementsAre("1"));
}

TEST_F(SingleActiveTest, SAC_03_InAQuorumQueueItGoesOnIfTheHigherOneLeaves) {
  Make(kQuorumSac);
  auto low = MakeSink();
  ConsumeWithPriority(low, 1);
  Publish({"1"});
  const ConsumerId high = ConsumeWithPriority(MakeSink(), 9);
  Publish({"2"});
  EXPECT_THAT(low->bodies(), ElementsAre("1"));
  Cancel(high);
  EXPECT_THAT(low->bodies(), ElementsAre("1", "2"));
}

TEST_F(SingleActiveTest, SAC_04_ExclusiveConsumersAreRefused) {
  Make(kSac);
  const auto exclusive = [](ConsumeParams& params) { params.exclusive = true; };
  EXPECT_EQ(ReasonOf(TryConsume(MakeSink(), exclusive)), "CONSUMER_EXCLUSIVE");
}

TEST_F(SingleActiveTest, SAC_05_GetsWorkBesideAnActiveConsumer) {
  Make(kSac);
  Consume(MakeSink(), 1);
  Publish({"1", "2"});
  EXPECT_THAT(Bodies(Get(MakeSink())), ElementsAre("2"));
  // A waiting get is no consumer: it takes its turn.
  WaitGet(MakeSink(), 1);
  Publish({"3"});
  EXPECT_THAT(Bodies(*answers_.at(1)), ElementsAre("3"));
}

TEST_F(CoreTest, QUORUM_05_SharedPrefetchIsRefused) {
  Make({{"x-queue-type", "quorum"}});
  const auto shared = [](ConsumeParams& params) {
    params.shared_prefetch = true;
  };
  const auto refused = TryConsume(MakeSink(), shared);
  EXPECT_EQ(ReasonOf(refused), "FEATURE_UNSUPPORTED");
  EXPECT_EQ(InfoOf(refused.status()).amqp_code, 540);
  EXPECT_EQ(refused.status().message(),
            "NOT_IMPLEMENTED - queue 'q' in vhost 'v' does not support global "
            "qos");
}

TEST_F(CoreTest, QUORUM_05_AClassicQueueTakesIt) {
  const auto shared = [](ConsumeParams& params) {
    params.shared_prefetch = true;
  };
  EXPECT_TRUE(TryConsume(MakeSink(), shared).ok());
}

TEST_F(CoreTest, QUORUM_06_ExclusiveConsumeIsNotEnforced) {
  Make({{"x-queue-type", "quorum"}});
  const auto exclusive = [](ConsumeParams& params) { params.exclusive = true; };
  EXPECT_TRUE(TryConsume(MakeSink(), exclusive).ok());
  EXPECT_TRUE(TryConsume(MakeSink(), exclusive).ok());
}

TEST_F(SingleActiveTest, QUORUM_06_NorWithASingleActiveConsumer) {
  Make({{"x-queue-type", "quorum"}, {"x-single-active-consumer", true}});
  const auto exclusive = [](ConsumeParams& params) { params.exclusive = true; };
  EXPECT_TRUE(TryConsume(MakeSink(), exclusive).ok());
}

}  // namespace
}  // namespace kelpmq::service::testing
