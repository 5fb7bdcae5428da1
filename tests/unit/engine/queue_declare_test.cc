// Declaring queues: their names, and what makes a redeclare equal.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::MatchesRegex;
using ::testing::StartsWith;

using QueueDeclare = EngineTest;

TEST_F(QueueDeclare, QNAME_01_EmptyNameMakesServerName) {
  auto first = Declare("");
  auto second = Declare("");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(first->created);
  EXPECT_THAT(first->queue.spec.name,
              MatchesRegex("amq\\.gen-[A-Za-z0-9_-]{22}"));
  EXPECT_NE(first->queue.spec.name, second->queue.spec.name);
  EXPECT_TRUE(HasQueue(first->queue.spec.name));
}

TEST_F(QueueDeclare, QNAME_01_QuorumQueueCannotBeServerNamed) {
  QueueSpec spec;
  spec.durable = true;
  spec.arguments = {{"x-queue-type", "quorum"}};
  auto declared = Declare(spec);
  EXPECT_EQ(ReasonOf(declared), "INVALID_ARGUMENT_VALUE");
  EXPECT_THAT(std::string(declared.status().message()),
              StartsWith("PRECONDITION_FAILED - Cannot declare a server-named "
                         "queue for type rabbit_quorum_queue"));
}

TEST_F(QueueDeclare, QNAME_02_PassiveDeclareOfEmptyNameIsNotFound) {
  auto declared = DeclarePassive("");
  EXPECT_EQ(ReasonOf(declared), "QUEUE_NOT_FOUND");
  EXPECT_EQ(declared.status().message(),
            "NOT_FOUND - no queue '' in vhost '/'");
}

TEST_F(QueueDeclare, QNAME_03_ReservedPrefixIsRefused) {
  auto declared = Declare("amq.mine");
  EXPECT_EQ(ReasonOf(declared), "RESERVED_NAME");
  EXPECT_EQ(declared.status().message(),
            "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix "
            "'amq.*'");
  EXPECT_FALSE(HasQueue("amq.mine"));
}

TEST_F(QueueDeclare, QNAME_04_NamesAreUtf8ComparedBytewise) {
  const std::string composed = "caf\xc3\xa9";
  const std::string decomposed = "cafe\xcc\x81";
  ASSERT_TRUE(Declare(composed).ok());
  EXPECT_TRUE(HasQueue(composed));
  EXPECT_FALSE(HasQueue(decomposed));
}

TEST_F(QueueDeclare, QNAME_05_CaseMatters) {
  ASSERT_TRUE(Declare("q.1").ok());
  ASSERT_TRUE(Declare("Q.1").ok());
  ASSERT_TRUE(Publish("", "Q.1", {"m"}).ok());
  EXPECT_TRUE(Drain("q.1").empty());
  EXPECT_EQ(Drain("Q.1"), std::vector<std::string>{"m"});
}

TEST_F(QueueDeclare, QDECL_01_AnswerCountsReadyMessagesAndConsumers) {
  auto sink = NewSink();
  ASSERT_TRUE(Declare("q").ok());
  ConsumeParams consumer = Consumer("q", sink);
  consumer.prefetch_count = 1;
  ASSERT_TRUE(Consume(consumer).ok());
  ASSERT_TRUE(Publish("", "q", {"held", "ready", "ready"}).ok());
  auto declared = Declare("q");
  ASSERT_TRUE(declared.ok()) << declared.status();
  EXPECT_FALSE(declared->created);
  EXPECT_EQ(declared->queue.messages_ready, 2u);
  EXPECT_EQ(declared->queue.messages_unacked, 1u);
  EXPECT_EQ(declared->queue.consumer_count, 1u);
}

TEST_F(QueueDeclare, QDECL_02_EqualRedeclareIsOk) {
  QueueSpec spec;
  spec.name = "q";
  spec.durable = true;
  spec.auto_delete = true;
  spec.arguments = {{"x-max-length", int32_t{5}}, {"x-mine", "a"}};
  ASSERT_TRUE(Declare(spec).ok());
  // Integers compare by value; unknown arguments do not count.
  spec.arguments = {{"x-max-length", int64_t{5}}, {"x-mine", "b"}};
  auto again = Declare(spec);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->queue.spec.arguments.at("x-mine"), Value("a"))
      << "the first declaration wins";
}

TEST_F(QueueDeclare, QDECL_02_OtherDurableIsRefused) {
  ASSERT_TRUE(Declare("q").ok());
  QueueSpec durable;
  durable.name = "q";
  durable.durable = true;
  auto declared = Declare(durable);
  EXPECT_EQ(ReasonOf(declared), "INEQUIVALENT_ARGUMENT");
  EXPECT_EQ(declared.status().message(),
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in "
            "vhost '/': received 'true' but current is 'false'");
}

TEST_F(QueueDeclare, QDECL_02_OtherAutoDeleteIsRefused) {
  ASSERT_TRUE(Declare("q").ok());
  auto declared = DeclareAutoDelete("q");
  EXPECT_EQ(ReasonOf(declared), "INEQUIVALENT_ARGUMENT");
  EXPECT_EQ(MetadataOf(declared.status(), "argument"), "auto_delete");
}

TEST_F(QueueDeclare, QDECL_02_OtherKnownArgumentIsRefused) {
  ASSERT_TRUE(Declare("q", {{"x-max-length", int32_t{2}}}).ok());
  EXPECT_EQ(ReasonOf(Declare("q", {{"x-max-length", int32_t{3}}})),
            "INEQUIVALENT_ARGUMENT");
  EXPECT_EQ(ReasonOf(Declare("q")), "INEQUIVALENT_ARGUMENT");
}

TEST_F(QueueDeclare, QDECL_02_OtherExclusiveIsResourceLocked) {
  ASSERT_TRUE(Declare("open").ok());
  EXPECT_EQ(ReasonOf(DeclareExclusive("open")), "RESOURCE_LOCKED");
  ASSERT_TRUE(DeclareExclusive("mine").ok());
  EXPECT_EQ(ReasonOf(Declare("mine")), "RESOURCE_LOCKED");
}

TEST_F(QueueDeclare, QDECL_02_PresentQueueIsComparedBeforeValuesAreChecked) {
  ASSERT_TRUE(Declare("q").ok());
  EXPECT_EQ(ReasonOf(Declare("q", {{"x-expires", int32_t{0}}})),
            "INEQUIVALENT_ARGUMENT");
}

TEST_F(QueueDeclare, QDECL_03_PassiveDeclareFindsAndIgnoresAttributes) {
  auto absent = DeclarePassive("q");
  EXPECT_EQ(ReasonOf(absent), "QUEUE_NOT_FOUND");
  EXPECT_EQ(absent.status().message(), "NOT_FOUND - no queue 'q' in vhost '/'");
  EXPECT_FALSE(HasQueue("q"));

  ASSERT_TRUE(Declare("q", {{"x-max-length", int32_t{2}}}).ok());
  QueueSpec other;
  other.name = "q";
  other.durable = true;
  auto found = Declare(other, /*passive=*/true);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->created);
  EXPECT_FALSE(found->queue.spec.durable);
}

TEST_F(QueueDeclare, ARGS_01_InvalidValueDeclaresNothing) {
  auto declared = Declare("q", {{"x-expires", int32_t{0}}});
  EXPECT_EQ(ReasonOf(declared), "INVALID_ARGUMENT_VALUE");
  EXPECT_EQ(declared.status().message(),
            "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in "
            "vhost '/': {value_zero,0}");
  EXPECT_FALSE(HasQueue("q"));
}

TEST_F(QueueDeclare, QUORUM_01_ExclusiveQuorumQueueIsRefusedAsExclusive) {
  QueueSpec spec;
  spec.name = "q";
  spec.durable = true;
  spec.exclusive = true;
  spec.arguments = {{"x-queue-type", "quorum"}};
  auto declared = Declare(spec);
  EXPECT_EQ(declared.status().message(),
            "PRECONDITION_FAILED - invalid property 'exclusive-owner' for "
            "queue 'q' in vhost '/'");
}

TEST_F(QueueDeclare, ExclusiveQueueIsStoredAsNotDurable) {
  QueueSpec spec;
  spec.name = "q";
  spec.exclusive = true;
  spec.durable = true;
  auto declared = Declare(spec);
  ASSERT_TRUE(declared.ok()) << declared.status();
  EXPECT_FALSE(declared->queue.spec.durable);
  EXPECT_EQ(declared->queue.owner, kAlice);
  EXPECT_TRUE(Declare(spec).ok()) << "and declared so again is equal";
}

TEST_F(QueueDeclare, ExclusiveQueueNeedsAnOwner) {
  owner_ = kNoOwner;
  EXPECT_EQ(ReasonOf(DeclareExclusive("q")), "SESSION_REQUIRED");
  EXPECT_FALSE(HasQueue("q"));
}

}  // namespace
}  // namespace kelpmq::service::testing
