// The topologies that Celery and Kombu declare: CELERY. (Native delayed
// delivery and global prefetch, CELERY-06 and -07, are recorded cases.)

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;

using Celery = EngineTest;

TEST_F(Celery, CELERY_01_ADelayQueueHandsOnInOrder) {
  ASSERT_TRUE(Declare("work").ok());
  ASSERT_TRUE(Declare("delay", {{"x-message-ttl", int32_t{100}},
                                {"x-dead-letter-exchange", ""},
                                {"x-dead-letter-routing-key", "work"}})
                  .ok());
  ASSERT_TRUE(Publish("", "delay", {"1"}).ok());
  Pass(absl::Milliseconds(50));
  ASSERT_TRUE(Publish("", "delay", {"2", "3"}).ok());
  Pass(absl::Milliseconds(50));
  EXPECT_THAT(Drain("work"), ElementsAre("1"));
  Pass(absl::Milliseconds(50));
  EXPECT_THAT(Drain("work"), ElementsAre("2", "3"));
}

TEST_F(Celery, CELERY_02_WorkersAndClientsMayAllDeclareTheDefaultQueue) {
  QueueSpec spec;
  spec.name = "celery";
  spec.durable = true;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(DeclareExchange("celery", "direct").ok());
    ASSERT_TRUE(Declare(spec).ok());
    ASSERT_TRUE(Bind("celery", "celery", "celery").ok());
  }
  ASSERT_TRUE(Publish("celery", "celery", {"task"}).ok());
  EXPECT_THAT(Drain("celery"), ElementsAre("task"));
}

TEST_F(Celery, CELERY_03_AWorkersPidboxGoesWithItsConsumer) {
  ASSERT_TRUE(DeclareExchange("celery.pidbox", "fanout").ok());
  QueueSpec spec;
  spec.name = "worker.celery.pidbox";
  spec.auto_delete = true;
  spec.arguments = {{"x-expires", int32_t{10'000}},
                    {"x-message-ttl", int32_t{300'000}}};
  ASSERT_TRUE(Declare(spec).ok());
  ASSERT_TRUE(Bind("celery.pidbox", spec.name).ok());
  auto worker = NewSink();
  const auto consumer = Consume(spec.name, worker);
  ASSERT_TRUE(consumer.ok());
  Pass(absl::Seconds(20));  // a consumer keeps it
  ASSERT_TRUE(Publish("celery.pidbox", "", {"ping"}).ok());
  EXPECT_THAT(worker->bodies(), ElementsAre("ping"));
  ASSERT_TRUE(Cancel(*consumer).ok());
  EXPECT_FALSE(HasQueue(spec.name));
}

TEST_F(Celery, CELERY_03_APidboxThatNobodyUsesExpires) {
  QueueSpec spec;
  spec.name = "worker.celery.pidbox";
  spec.auto_delete = true;
  spec.arguments = {{"x-expires", int32_t{10'000}},
                    {"x-message-ttl", int32_t{300'000}}};
  ASSERT_TRUE(Declare(spec).ok());
  Pass(absl::Seconds(10));
  EXPECT_FALSE(HasQueue(spec.name));
}

}  // namespace
}  // namespace kelpmq::service::testing
