// Who may use a queue, and when it goes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using QueueLifetime = EngineTest;

constexpr char kLocked[] =
    "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in "
    "vhost '/'. It could be originally declared on another connection or the "
    "exclusive property value does not match that of the original declaration.";

TEST_F(QueueLifetime, QLIFE_01_ExclusiveQueueIsLockedToOthers) {
  ASSERT_TRUE(DeclareExclusive("q").ok());
  owner_ = kBob;
  EXPECT_EQ(DeclareExclusive("q").status().message(), kLocked);
  EXPECT_EQ(Declare("q").status().message(), kLocked);
  EXPECT_EQ(DeclarePassive("q").status().message(), kLocked);
  EXPECT_EQ(Get("q", NewSink()).status().message(), kLocked);
  EXPECT_EQ(Consume("q", NewSink()).status().message(), kLocked);
  EXPECT_EQ(DeleteQueue("q").status().message(), kLocked);
  EXPECT_EQ(Purge("q").status().message(), kLocked);
  EXPECT_EQ(Bind("amq.fanout", "q").status().message(), kLocked);
  EXPECT_EQ(ReasonOf(Bind("amq.fanout", "q")), "RESOURCE_LOCKED");
}

TEST_F(QueueLifetime, QLIFE_01_CallerThatOwnsNothingIsLockedOutToo) {
  ASSERT_TRUE(DeclareExclusive("q").ok());
  owner_ = kNoOwner;
  EXPECT_EQ(ReasonOf(Get("q", NewSink())), "RESOURCE_LOCKED");
}

TEST_F(QueueLifetime, QLIFE_01_PublishingToAnExclusiveQueueIsFree) {
  ASSERT_TRUE(DeclareExclusive("q").ok());
  owner_ = kBob;
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  owner_ = kAlice;
  EXPECT_THAT(Drain("q"), ElementsAre("m"));
}

TEST_F(QueueLifetime, QLIFE_01_OwnerMayDoEverything) {
  ASSERT_TRUE(DeclareExclusive("q").ok());
  EXPECT_TRUE(DeclareExclusive("q").ok());
  EXPECT_TRUE(DeclarePassive("q").ok());
  EXPECT_TRUE(Bind("amq.fanout", "q").ok());
  EXPECT_TRUE(Get("q", NewSink()).ok());
  EXPECT_TRUE(Consume("q", NewSink()).ok());
  EXPECT_TRUE(Purge("q").ok());
  EXPECT_TRUE(DeleteQueue("q").ok());
}

TEST_F(QueueLifetime, QLIFE_02_ExclusiveQueuesGoWithTheirOwner) {
  ASSERT_TRUE(DeclareExclusive("a").ok());
  ASSERT_TRUE(DeclareExclusive("b").ok());
  ASSERT_TRUE(Declare("open").ok());
  owner_ = kBob;
  ASSERT_TRUE(DeclareExclusive("c").ok());

  auto ended = EndOwner(kAlice);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_THAT(ended->deleted_queues, ElementsAre("a", "b"));
  EXPECT_FALSE(HasQueue("a"));
  EXPECT_FALSE(HasQueue("b"));
  EXPECT_TRUE(HasQueue("open"));
  EXPECT_TRUE(HasQueue("c"));
  EXPECT_THAT(EndOwner(kAlice)->deleted_queues, IsEmpty());
}

TEST_F(QueueLifetime, QLIFE_02_NameOfAnEndedOwnersQueueIsFree) {
  ASSERT_TRUE(DeclareExclusive("q").ok());
  ASSERT_TRUE(EndOwner(kAlice).ok());
  owner_ = kBob;
  auto declared = DeclareExclusive("q");
  ASSERT_TRUE(declared.ok()) << declared.status();
  EXPECT_EQ(declared->queue.owner, kBob);
}

TEST_F(QueueLifetime, QLIFE_03_AutoDeleteQueueGoesWithItsLastConsumer) {
  ASSERT_TRUE(DeclareAutoDelete("q").ok());
  auto first = Consume("q", NewSink(), 1);
  auto second = Consume("q", NewSink(), 2);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE(Cancel(*first).ok());
  EXPECT_TRUE(HasQueue("q"));
  ASSERT_TRUE(Cancel(*second).ok());
  EXPECT_FALSE(HasQueue("q"));
}

TEST_F(QueueLifetime, QLIFE_03_AutoDeleteQueueGoesWhenItsSinkIsReleased) {
  auto sink = NewSink();
  ASSERT_TRUE(DeclareAutoDelete("q").ok());
  auto consumer = Consume("q", sink);
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Release(sink, {consumer->queue}).ok());
  EXPECT_FALSE(HasQueue("q"));
}

TEST_F(QueueLifetime, QLIFE_03_AutoDeleteQueueStaysBeforeItsFirstConsumer) {
  ASSERT_TRUE(DeclareAutoDelete("q").ok());
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  EXPECT_THAT(Drain("q"), ElementsAre("m")) << "a get is no consumer";
  EXPECT_TRUE(HasQueue("q"));
}

TEST_F(QueueLifetime, QLIFE_04_NameIsFreeAfterAutoDelete) {
  ASSERT_TRUE(DeclareAutoDelete("q").ok());
  auto consumer = Consume("q", NewSink());
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE(Publish("", "q", {"old"}).ok());
  ASSERT_TRUE(Cancel(*consumer).ok());
  auto declared = Declare("q");
  ASSERT_TRUE(declared.ok()) << declared.status();
  EXPECT_TRUE(declared->created);
  EXPECT_THAT(Drain("q"), IsEmpty());
}

TEST_F(QueueLifetime, QEXP_01_UnusedQueueIsDeleted) {
  ASSERT_TRUE(Declare("q", {{"x-expires", int32_t{500}}}).ok());
  Pass(absl::Milliseconds(490));
  EXPECT_TRUE(HasQueue("q"));
  Pass(absl::Milliseconds(20));
  EXPECT_FALSE(HasQueue("q"));
}

TEST_F(QueueLifetime, QEXP_02_ConsumerKeepsItAndItsLeaveStartsTheLease) {
  ASSERT_TRUE(Declare("q", {{"x-expires", int32_t{500}}}).ok());
  auto consumer = Consume("q", NewSink());
  ASSERT_TRUE(consumer.ok());
  Pass(absl::Seconds(2));
  ASSERT_TRUE(HasQueue("q"));
  ASSERT_TRUE(Cancel(*consumer).ok());
  Pass(absl::Milliseconds(490));
  EXPECT_TRUE(HasQueue("q"));
  Pass(absl::Milliseconds(20));
  EXPECT_FALSE(HasQueue("q"));
}

TEST_F(QueueLifetime, QEXP_03_RedeclareRenewsTheLease) {
  const Table arguments = {{"x-expires", int32_t{500}}};
  ASSERT_TRUE(Declare("q", arguments).ok());
  for (int i = 0; i < 3; ++i) {
    Pass(absl::Milliseconds(350));
    auto declared = Declare("q", arguments);
    ASSERT_TRUE(declared.ok());
    ASSERT_FALSE(declared->created);
  }
  Pass(absl::Milliseconds(510));
  EXPECT_FALSE(HasQueue("q"));
}

TEST_F(QueueLifetime, QEXP_03_GetRenewsTheLease) {
  ASSERT_TRUE(Declare("q", {{"x-expires", int32_t{500}}}).ok());
  for (int i = 0; i < 3; ++i) {
    Pass(absl::Milliseconds(350));
    ASSERT_TRUE(Get("q", NewSink()).ok());
  }
  Pass(absl::Milliseconds(510));
  EXPECT_FALSE(HasQueue("q"));
}

TEST_F(QueueLifetime, QEXP_04_PublishingDoesNotRenewTheLease) {
  ASSERT_TRUE(Declare("q", {{"x-expires", int32_t{500}}}).ok());
  Pass(absl::Milliseconds(350));
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  Pass(absl::Milliseconds(170));
  EXPECT_FALSE(HasQueue("q"));
}

TEST_F(QueueLifetime, QEXP_05_ExpiredQueueDropsItsMessages) {
  ASSERT_TRUE(DeclareExchange("dead", "fanout").ok());
  ASSERT_TRUE(Declare("graves").ok());
  ASSERT_TRUE(Bind("dead", "graves").ok());
  ASSERT_TRUE(Declare("q", {{"x-expires", int32_t{500}},
                            {"x-dead-letter-exchange", "dead"}})
                  .ok());
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  Pass(absl::Milliseconds(510));
  ASSERT_FALSE(HasQueue("q"));
  EXPECT_THAT(Drain("graves"), IsEmpty());
}

TEST_F(QueueLifetime, QEXP_01_ExpiredQueueLosesWhatGetsHold) {
  auto holder = NewSink();
  ASSERT_TRUE(Declare("q", {{"x-expires", int32_t{500}}}).ok());
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  auto got = Get("q", holder);
  ASSERT_TRUE(got.ok());
  ASSERT_EQ(got->deliveries.size(), 1u);
  Pass(absl::Milliseconds(510));
  ASSERT_FALSE(HasQueue("q"));
  ASSERT_EQ(holder->lost().size(), 1u);
  EXPECT_EQ(holder->lost()[0].queue, got->queue);
  EXPECT_THAT(holder->lost()[0].delivery_ids,
              ElementsAre(got->deliveries[0].delivery_id));
}

TEST_F(QueueLifetime, QDEL_01_DeletingAnAbsentQueueIsOk) {
  for (const char* name : {"none", "amq.gen-none", ""}) {
    auto deleted = DeleteQueue(name, /*if_unused=*/true, /*if_empty=*/true);
    ASSERT_TRUE(deleted.ok()) << deleted.status();
    EXPECT_FALSE(deleted->deleted);
    EXPECT_EQ(deleted->message_count, 0u);
  }
}

TEST_F(QueueLifetime, QDEL_02_AnswerCountsReadyMessagesOnly) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b", "c"}).ok());
  ASSERT_TRUE(Get("q", NewSink()).ok());
  auto deleted = DeleteQueue("q");
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_TRUE(deleted->deleted);
  EXPECT_EQ(deleted->message_count, 2u);
  EXPECT_FALSE(HasQueue("q"));
}

TEST_F(QueueLifetime, QDEL_03_IfUnusedAndIfEmptyKeepTheQueue) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b"}).ok());
  auto not_empty = DeleteQueue("q", false, /*if_empty=*/true);
  EXPECT_EQ(ReasonOf(not_empty), "QUEUE_NOT_EMPTY");
  EXPECT_EQ(not_empty.status().message(),
            "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty");
  ConsumeParams consumer = Consumer("q", NewSink());
  consumer.prefetch_count = 1;
  ASSERT_TRUE(Consume(consumer).ok());
  auto in_use = DeleteQueue("q", /*if_unused=*/true, /*if_empty=*/true);
  EXPECT_EQ(ReasonOf(in_use), "QUEUE_IN_USE") << "checked first";
  EXPECT_EQ(in_use.status().message(),
            "PRECONDITION_FAILED - queue 'q' in vhost '/' in use");
  EXPECT_TRUE(HasQueue("q"));
}

TEST_F(QueueLifetime, QPURGE_01_PurgeDropsReadyMessagesOnly) {
  auto holder = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"a", "b", "c"}).ok());
  auto got = Get("q", holder);
  ASSERT_TRUE(got.ok());
  auto purged = Purge("q");
  ASSERT_TRUE(purged.ok()) << purged.status();
  EXPECT_EQ(*purged, 2u);
  ASSERT_TRUE(Release(holder, {got->queue}).ok());
  EXPECT_THAT(Drain("q"), ElementsAre("a")) << "the unacked one returned";

  auto absent = Purge("none");
  EXPECT_EQ(ReasonOf(absent), "QUEUE_NOT_FOUND");
  EXPECT_EQ(absent.status().message(),
            "NOT_FOUND - no queue 'none' in vhost '/'");
}

}  // namespace
}  // namespace kelpmq::service::testing
