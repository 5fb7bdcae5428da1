// Bindings as seen through the engine, with real queues at their ends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Bindings = EngineTest;

TEST_F(Bindings, EXB_01_ExchangesAreThereFromTheStart) {
  for (const char* name : {"", "amq.direct", "amq.fanout", "amq.topic",
                           "amq.headers", "amq.match", "amq.rabbitmq.trace"}) {
    EXPECT_TRUE(HasExchange(name)) << name;
  }
}

TEST_F(Bindings, EXB_02_EveryQueueIsBoundToTheDefaultExchangeByName) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  EXPECT_THAT(Drain("q"), ElementsAre("m"));
  auto unknown = Publish("", "other", {"m"});
  ASSERT_TRUE(unknown.ok()) << unknown.status();
  EXPECT_EQ(unknown->unrouted_count, 1u);
  ASSERT_TRUE(DeleteQueue("q").ok());
  EXPECT_EQ(Publish("", "q", {"m"})->unrouted_count, 1u);
}

TEST_F(Bindings, EXB_03_DefaultExchangeCannotBeBound) {
  ASSERT_TRUE(Declare("q").ok());
  auto bound = Bind("", "q", "k");
  EXPECT_EQ(ReasonOf(bound), "DEFAULT_EXCHANGE");
  EXPECT_EQ(bound.status().message(),
            "ACCESS_REFUSED - operation not permitted on the default exchange");
  EXPECT_EQ(ReasonOf(Unbind("", "q", "k")), "DEFAULT_EXCHANGE");
  EXPECT_EQ(ReasonOf(BindExchange("amq.fanout", "")), "DEFAULT_EXCHANGE");
}

TEST_F(Bindings, BIND_01_AbsentExchangeIsReportedFirst) {
  auto both = Bind("nox", "noq", "k");
  EXPECT_EQ(ReasonOf(both), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(both.status().message(),
            "NOT_FOUND - no exchange 'nox' in vhost '/'");
  auto queue = Bind("amq.direct", "noq", "k");
  EXPECT_EQ(ReasonOf(queue), "QUEUE_NOT_FOUND");
  EXPECT_EQ(queue.status().message(),
            "NOT_FOUND - no queue 'noq' in vhost '/'");
}

TEST_F(Bindings, BIND_01_AbsentExchangeIsReportedBeforeALockedQueue) {
  ASSERT_TRUE(DeclareExclusive("q").ok());
  owner_ = kBob;
  EXPECT_EQ(ReasonOf(Bind("nox", "q", "k")), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Bind("amq.direct", "q", "k")), "RESOURCE_LOCKED");
}

TEST_F(Bindings, BIND_02_BindingIsIdempotent) {
  ASSERT_TRUE(Declare("q").ok());
  EXPECT_TRUE(*Bind("amq.direct", "q", "k"));
  EXPECT_FALSE(*Bind("amq.direct", "q", "k"));
  EXPECT_TRUE(*Unbind("amq.direct", "q", "k"));
  EXPECT_EQ(Publish("amq.direct", "k", {"m"})->unrouted_count, 1u);
}

TEST_F(Bindings, BIND_03_ArgumentsAreTypedPartsOfTheIdentity) {
  ASSERT_TRUE(Declare("q").ok());
  EXPECT_TRUE(*Bind("amq.direct", "q", "k", {{"a", int32_t{1}}}));
  EXPECT_TRUE(*Bind("amq.direct", "q", "k", {{"a", int64_t{1}}}));
  EXPECT_FALSE(*Unbind("amq.direct", "q", "k"));
  EXPECT_TRUE(*Unbind("amq.direct", "q", "k", {{"a", int32_t{1}}}));
  EXPECT_EQ(Publish("amq.direct", "k", {"m"})->queue_count, 1u);
}

TEST_F(Bindings, BIND_04_UnbindingWhatIsMissingIsOk) {
  EXPECT_FALSE(*Unbind("nox", "noq", "k"));
  EXPECT_FALSE(*Unbind("amq.direct", "noq", "k"));
  ASSERT_TRUE(Declare("q").ok());
  EXPECT_FALSE(*Unbind("amq.direct", "q", "k"));
  EXPECT_FALSE(*Unbind("nox", "q", "k"));
}

TEST_F(Bindings, BIND_04_AnybodyMayUnbindWhatIsMissingFromALockedQueue) {
  ASSERT_TRUE(DeclareExclusive("q").ok());
  ASSERT_TRUE(Bind("amq.direct", "q", "k").ok());
  owner_ = kBob;
  EXPECT_FALSE(*Unbind("amq.direct", "q", "other"));
  EXPECT_EQ(ReasonOf(Unbind("amq.direct", "q", "k")), "RESOURCE_LOCKED");
}

TEST_F(Bindings, BIND_05_DeletingAQueueRemovesItsBindingsForGood) {
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Bind("amq.fanout", "q").ok());
  ASSERT_TRUE(DeleteQueue("q").ok());
  ASSERT_TRUE(Declare("q").ok());
  EXPECT_EQ(Publish("amq.fanout", "", {"m"})->unrouted_count, 1u);
}

TEST_F(Bindings, BIND_06_AnyQueueMayBindToPredeclaredExchanges) {
  ASSERT_TRUE(Declare("q").ok());
  for (const char* name :
       {"amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"}) {
    EXPECT_TRUE(*Bind(name, "q", "k")) << name;
  }
}

TEST_F(Bindings, DUP_01_SeveralMatchingBindingsEnqueueOneCopy) {
  ASSERT_TRUE(Declare("q").ok());
  for (const char* key : {"#", "a.*", "a.b", "*.b"}) {
    ASSERT_TRUE(Bind("amq.topic", "q", key).ok());
  }
  EXPECT_EQ(Publish("amq.topic", "a.b", {"m"})->queue_count, 1u);
  EXPECT_THAT(Drain("q"), ElementsAre("m"));
}

TEST_F(Bindings, E2E_01_MessagesFlowThroughBoundExchanges) {
  ASSERT_TRUE(DeclareExchange("outer", "topic").ok());
  ASSERT_TRUE(DeclareExchange("inner", "direct").ok());
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(BindExchange("outer", "inner", "a.#").ok());
  ASSERT_TRUE(Bind("inner", "q", "a.b").ok());
  ASSERT_TRUE(Publish("outer", "a.b", {"both match"}).ok());
  ASSERT_TRUE(Publish("outer", "a.c", {"inner does not"}).ok());
  ASSERT_TRUE(Publish("outer", "b.b", {"outer does not"}).ok());
  EXPECT_THAT(Drain("q"), ElementsAre("both match"));
}

TEST_F(Bindings, E2E_02_AbsentSideOfAnExchangeBindingIsNotFound) {
  auto destination = BindExchange("amq.fanout", "nox");
  EXPECT_EQ(destination.status().message(),
            "NOT_FOUND - no exchange 'nox' in vhost '/'");
  EXPECT_EQ(ReasonOf(BindExchange("nox", "amq.fanout")), "EXCHANGE_NOT_FOUND");
}

TEST_F(Bindings, E2E_03_CyclesEnd) {
  ASSERT_TRUE(DeclareExchange("a", "fanout").ok());
  ASSERT_TRUE(DeclareExchange("b", "fanout").ok());
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(BindExchange("a", "b").ok());
  ASSERT_TRUE(BindExchange("b", "a").ok());
  ASSERT_TRUE(BindExchange("a", "a").ok());
  ASSERT_TRUE(Bind("b", "q").ok());
  EXPECT_EQ(Publish("a", "", {"m"})->queue_count, 1u);
  EXPECT_THAT(Drain("q"), ElementsAre("m"));
}

TEST_F(Bindings, E2E_04_QueueReachedBySeveralPathsGetsOneCopy) {
  ASSERT_TRUE(DeclareExchange("a", "fanout").ok());
  ASSERT_TRUE(DeclareExchange("b", "fanout").ok());
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(BindExchange("a", "b").ok());
  ASSERT_TRUE(Bind("a", "q").ok());
  ASSERT_TRUE(Bind("b", "q").ok());
  ASSERT_TRUE(Publish("a", "", {"m"}).ok());
  EXPECT_THAT(Drain("q"), ElementsAre("m"));
}

TEST_F(Bindings, E2E_05_OriginalExchangeAndKeyAreDelivered) {
  ASSERT_TRUE(DeclareExchange("outer", "topic").ok());
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(BindExchange("outer", "amq.fanout", "#").ok());
  ASSERT_TRUE(Bind("amq.fanout", "q", "other").ok());
  ASSERT_TRUE(Publish("outer", "a.b", {"m"}).ok());
  auto got = Get("q", NewSink());
  ASSERT_TRUE(got.ok());
  ASSERT_EQ(got->deliveries.size(), 1u);
  EXPECT_EQ(got->deliveries[0].message->exchange(), "outer");
  EXPECT_EQ(got->deliveries[0].message->routing_key(), "a.b");
}

TEST_F(Bindings, EXDEL_05_DeletedQueueTakesAutoDeleteExchangesUpstreamAlong) {
  ASSERT_TRUE(DeclareExchange("x1", "fanout", /*auto_delete=*/true).ok());
  ASSERT_TRUE(DeclareExchange("x2", "fanout", /*auto_delete=*/true).ok());
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(BindExchange("x1", "x2").ok());
  ASSERT_TRUE(Bind("x2", "q").ok());
  ASSERT_TRUE(DeleteQueue("q").ok());
  EXPECT_FALSE(HasExchange("x2"));
  EXPECT_FALSE(HasExchange("x1"));
}

TEST_F(Bindings, EXDEL_05_ExpiredQueueTakesAutoDeleteExchangesAlong) {
  ASSERT_TRUE(DeclareExchange("x", "fanout", /*auto_delete=*/true).ok());
  ASSERT_TRUE(Declare("q", {{"x-expires", int32_t{100}}}).ok());
  ASSERT_TRUE(Bind("x", "q").ok());
  Pass(absl::Milliseconds(110));
  EXPECT_FALSE(HasExchange("x"));
}

TEST_F(Bindings, EXDEL_03_DeletedExchangeRoutesNoMore) {
  ASSERT_TRUE(DeclareExchange("x", "fanout").ok());
  ASSERT_TRUE(Declare("q").ok());
  ASSERT_TRUE(Bind("x", "q").ok());
  EXPECT_TRUE(*DeleteExchange("x"));
  EXPECT_FALSE(*DeleteExchange("x"));
  ASSERT_TRUE(DeclareExchange("x", "fanout").ok());
  EXPECT_EQ(Publish("x", "", {"m"})->unrouted_count, 1u);
  EXPECT_THAT(Drain("q"), IsEmpty());
}

}  // namespace
}  // namespace kelpmq::service::testing
