// Rules BIND, E2E, DUP, DIRECT and FAN; CC and AE as far as routing goes.

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/routing_fixture.h"

namespace kelpmq::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::ReasonOf;
using testing::TextOf;

class RouterBindings : public testing::RoutingFixture {};

// ---- BIND ----

TEST_F(RouterBindings, BIND_01_AbsentEndsAreReported) {
  Queue("q");
  Exchange("x", "direct");
  auto bound = router_.Bind(ToQueue("nope", "q"));
  EXPECT_EQ(ReasonOf(bound), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(TextOf(bound), "no exchange 'nope' in vhost '/'");
  bound = router_.Bind(ToQueue("x", "nope"));
  EXPECT_EQ(ReasonOf(bound), "QUEUE_NOT_FOUND");
  EXPECT_EQ(TextOf(bound), "no queue 'nope' in vhost '/'");
  EXPECT_EQ(ReasonOf(router_.Bind(ToQueue("no-x", "no-q"))),
            "EXCHANGE_NOT_FOUND");
}

TEST_F(RouterBindings, BIND_02_BindingIsIdempotent) {
  Queue("q");
  Exchange("x", "direct");
  Bind(ToQueue("x", "q", "k"));
  EXPECT_FALSE(router_.Bind(ToQueue("x", "q", "k")).value());
  EXPECT_EQ(router_.ListBindings().size(), 2u);
  Unbind(ToQueue("x", "q", "k"));
  EXPECT_THAT(Route("x", "k"), IsEmpty());
}

TEST_F(RouterBindings, BIND_03_ArgumentsAreOfTheIdentityWithTheirTypes) {
  Queue("q");
  Exchange("x", "direct");
  Bind(ToQueue("x", "q", "k"));
  Bind(ToQueue("x", "q", "k", {{"a", int32_t{1}}}));
  Bind(ToQueue("x", "q", "k", {{"a", int64_t{1}}}));
  Bind(ToQueue("x", "q", "k", {{"a", Table{{"n", int32_t{1}}}}}));
  Bind(ToQueue("x", "q", "k", {{"a", Table{{"n", int64_t{1}}}}}));
  EXPECT_FALSE(
      router_.Bind(ToQueue("x", "q", "k", {{"a", int64_t{1}}})).value());
  Unbind(ToQueue("x", "q", "k"));
  EXPECT_FALSE(
      router_.Unbind(ToQueue("x", "q", "k", {{"a", int16_t{1}}})).value());
  EXPECT_THAT(Route("x", "k"), ElementsAre("q"));
  Unbind(ToQueue("x", "q", "k", {{"a", int32_t{1}}}));
  Unbind(ToQueue("x", "q", "k", {{"a", int64_t{1}}}));
  Unbind(ToQueue("x", "q", "k", {{"a", Table{{"n", int32_t{1}}}}}));
  EXPECT_THAT(Route("x", "k"), ElementsAre("q"));
  Unbind(ToQueue("x", "q", "k", {{"a", Table{{"n", int64_t{1}}}}}));
  EXPECT_THAT(Route("x", "k"), IsEmpty());
}

TEST_F(RouterBindings, BIND_03_EveryKindOfArgumentTellsBindingsApart) {
  const std::vector<Value> values = {Void{},
                                     "1",
                                     RawString{"1"},
                                     Bytes{"1"},
                                     true,
                                     false,
                                     int8_t{1},
                                     uint8_t{1},
                                     int16_t{1},
                                     uint16_t{1},
                                     int32_t{1},
                                     uint32_t{1},
                                     int64_t{1},
                                     1.0f,
                                     1.0,
                                     Decimal{0, 1},
                                     Decimal{1, 0},
                                     Timestamp{1},
                                     Table{{"1", 1.0}},
                                     Array{1.0},
                                     Array{},
                                     Table{},
                                     Array{Array{}},
                                     Array{"", ""},
                                     Array{""}};
  Queue("q");
  Exchange("x", "direct");
  for (const Value& value : values) Bind(ToQueue("x", "q", "", {{"a", value}}));
  EXPECT_EQ(router_.ListBindings().size(), values.size() + 1);
  for (const Value& value : values) {
    Unbind(ToQueue("x", "q", "", {{"a", value}}));
  }
  EXPECT_EQ(router_.ListBindings().size(), 1u);
}

TEST_F(RouterBindings, BIND_04_UnbindIsOkWhateverIsMissing) {
  Queue("q");
  Exchange("x", "direct");
  for (const BindingSpec& binding :
       {ToQueue("x", "q", "k"), ToQueue("x", "nope"), ToQueue("nope", "q"),
        ToQueue("nope", "nope"), ToExchange("x", "nope"),
        ToExchange("nope", "x")}) {
    const auto deleted = router_.Unbind(binding);
    ASSERT_TRUE(deleted.ok());
    EXPECT_FALSE(*deleted);
  }
}

TEST_F(RouterBindings, BIND_05_DeletingAQueueRemovesItsBindingsForGood) {
  Queues({"q", "r"});
  Exchange("x", "direct");
  Exchange("y", "topic");
  Bind(ToQueue("x", "q", "k"));
  Bind(ToQueue("x", "r", "k"));
  Bind(ToQueue("y", "q", "#"));
  router_.RemoveQueue("q");
  Queue("q");
  EXPECT_THAT(Route("x", "k"), ElementsAre("r"));
  EXPECT_THAT(Route("y", "k"), IsEmpty());
  EXPECT_THAT(Route("", "q"), ElementsAre("q"));
}

TEST_F(RouterBindings, BIND_06_AnyQueueBindsToPredeclaredExchanges) {
  Queue("q");
  for (const std::string exchange :
       {"amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"}) {
    Bind(ToQueue(exchange, "q", "k"));
    EXPECT_THAT(Route(exchange, "k"), ElementsAre("q")) << exchange;
  }
}

TEST_F(RouterBindings, ListsAreInOrderAndHaveTheImplicitBindings) {
  Queues({"q", "a"});
  Exchange("x", "direct");
  Exchange("w", "direct");
  Bind(ToQueue("x", "q", "k2"));
  Bind(ToQueue("x", "q", "k1"));
  Bind(ToExchange("x", "w", "k"));
  Bind(ToQueue("w", "a"));
  EXPECT_THAT(router_.ListBindings(),
              ElementsAre(ToQueue("", "a", "a"), ToQueue("", "q", "q"),
                          ToQueue("w", "a"), ToQueue("x", "q", "k1"),
                          ToQueue("x", "q", "k2"), ToExchange("x", "w", "k")));
}

// ---- E2E and DUP ----

TEST_F(RouterBindings, E2E_01_BothExchangeTypesApply) {
  Queue("q");
  Exchange("outer", "topic");
  Exchange("inner", "direct");
  Bind(ToExchange("outer", "inner", "a.#"));
  Bind(ToQueue("inner", "q", "a.b"));
  EXPECT_THAT(Route("outer", "a.b"), ElementsAre("q"));
  EXPECT_THAT(Route("outer", "a.c"), IsEmpty());
  EXPECT_THAT(Route("inner", "a.b"), ElementsAre("q"));
}

TEST_F(RouterBindings, E2E_02_AbsentSidesAreNotFound) {
  Exchange("x", "fanout");
  auto bound = router_.Bind(ToExchange("x", "nope"));
  EXPECT_EQ(ReasonOf(bound), "EXCHANGE_NOT_FOUND");
  EXPECT_EQ(TextOf(bound), "no exchange 'nope' in vhost '/'");
  bound = router_.Bind(ToExchange("nope", "x"));
  EXPECT_EQ(ReasonOf(bound), "EXCHANGE_NOT_FOUND");
}

TEST_F(RouterBindings, E2E_03_CyclesAndSelfBindingsEnd) {
  Queues({"q", "r"});
  Exchange("a", "fanout");
  Exchange("b", "fanout");
  Bind(ToExchange("a", "b"));
  Bind(ToExchange("b", "a"));
  Bind(ToExchange("a", "a"));
  Bind(ToQueue("a", "q"));
  Bind(ToQueue("b", "r"));
  EXPECT_THAT(Route("a", "k"), ElementsAre("q", "r"));
  EXPECT_THAT(Route("b", "k"), ElementsAre("q", "r"));
}

TEST_F(RouterBindings, E2E_04_SeveralPathsGiveOneCopy) {
  Queue("q");
  Exchange("a", "fanout");
  Exchange("b", "fanout");
  Exchange("c", "fanout");
  Bind(ToExchange("a", "b"));
  Bind(ToExchange("a", "c"));
  Bind(ToQueue("a", "q"));
  Bind(ToQueue("b", "q"));
  Bind(ToQueue("c", "q"));
  EXPECT_THAT(Route("a", "k"), ElementsAre("q"));
}

TEST_F(RouterBindings, E2E_05_TheSameKeyAndHeadersMatchAtEachHop) {
  Queues({"by-key", "by-header"});
  Exchange("a", "fanout");
  Exchange("b", "headers");
  Exchange("c", "direct");
  Bind(ToExchange("a", "b"));
  Bind(ToExchange("b", "c", "", {{"h", "v"}}));
  Bind(ToQueue("b", "by-header", "", {{"h", "v"}}));
  Bind(ToQueue("c", "by-key", "k"));
  EXPECT_THAT(Route("a", "k", {{"h", "v"}}),
              ElementsAre("by-header", "by-key"));
  EXPECT_THAT(Route("a", "other", {{"h", "v"}}), ElementsAre("by-header"));
  EXPECT_THAT(Route("a", "k", {{"h", "w"}}), IsEmpty());
}

TEST_F(RouterBindings, E2E_06_AnInnerExchangeUsesItsOwnAlternate) {
  Queues({"outer-lost", "inner-lost"});
  Exchange("outer-alternate", "fanout");
  Exchange("inner-alternate", "fanout");
  Exchange("outer", "fanout", {{"alternate-exchange", "outer-alternate"}});
  Exchange("inner", "direct", {{"alternate-exchange", "inner-alternate"}});
  Bind(ToQueue("outer-alternate", "outer-lost"));
  Bind(ToQueue("inner-alternate", "inner-lost"));
  Bind(ToExchange("outer", "inner"));
  EXPECT_THAT(Route("outer", "k"), ElementsAre("inner-lost"));
}

TEST_F(RouterBindings, DUP_01_SeveralMatchingBindingsGiveOneCopy) {
  Queue("q");
  Exchange("d", "direct");
  Exchange("t", "topic");
  Bind(ToQueue("d", "q", "k"));
  Bind(ToQueue("d", "q", "k", {{"a", "b"}}));
  Bind(ToQueue("t", "q", "a.*"));
  Bind(ToQueue("t", "q", "*.b"));
  Bind(ToQueue("t", "q", "#"));
  EXPECT_THAT(Route("d", "k"), ElementsAre("q"));
  EXPECT_THAT(Route("t", "a.b"), ElementsAre("q"));
}

TEST_F(RouterBindings, DUP_01_ManyQueuesGetOneCopyEach) {
  constexpr int kQueues = 300;
  Exchange("t", "topic");
  Exchange("f", "fanout");
  Bind(ToExchange("t", "f", "#"));
  for (int i = 0; i < kQueues; ++i) {
    const std::string name = "q" + std::to_string(i);
    Queue(name);
    Bind(ToQueue("t", name, "a.*"));
    Bind(ToQueue("t", name, "*.b"));
    Bind(ToQueue("f", name));
  }
  const Names names = Route("t", "a.b");
  EXPECT_EQ(names.size(), static_cast<size_t>(kQueues));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(),
            static_cast<size_t>(kQueues));
}

// ---- DIRECT and FAN ----

TEST_F(RouterBindings, DIRECT_01_KeysMatchByteByByte) {
  Queues({"exact", "star", "hash", "empty"});
  Exchange("x", "direct");
  Bind(ToQueue("x", "exact", "a.b"));
  Bind(ToQueue("x", "star", "a.*"));
  Bind(ToQueue("x", "hash", "#"));
  Bind(ToQueue("x", "empty", ""));
  EXPECT_THAT(Route("x", "a.b"), ElementsAre("exact"));
  EXPECT_THAT(Route("x", "a.*"), ElementsAre("star"));
  EXPECT_THAT(Route("x", "#"), ElementsAre("hash"));
  EXPECT_THAT(Route("x", ""), ElementsAre("empty"));
  EXPECT_THAT(Route("x", "A.B"), IsEmpty());
}

TEST_F(RouterBindings, FAN_01_EveryBindingMatches) {
  Queues({"q", "r"});
  Exchange("x", "fanout");
  Bind(ToQueue("x", "q", "whatever"));
  Bind(ToQueue("x", "r", "", {{"a", "b"}}));
  EXPECT_THAT(Route("x", "k"), ElementsAre("q", "r"));
  EXPECT_THAT(Route("x", ""), ElementsAre("q", "r"));
}

TEST_F(RouterBindings, FAN_01_AQueueBoundTwiceStaysUntilBothAreGone) {
  Queue("q");
  Exchange("x", "fanout");
  Bind(ToQueue("x", "q", "a"));
  Bind(ToQueue("x", "q", "b"));
  Unbind(ToQueue("x", "q", "a"));
  EXPECT_THAT(Route("x", "k"), ElementsAre("q"));
  Unbind(ToQueue("x", "q", "b"));
  EXPECT_THAT(Route("x", "k"), IsEmpty());
}

// ---- CC and AE ----

TEST_F(RouterBindings, CC_01_SenderSelectedKeysRouteToo) {
  Queues({"a", "b", "c"});
  Exchange("d", "direct");
  Exchange("t", "topic");
  for (const std::string name : {"a", "b", "c"}) {
    Bind(ToQueue("d", name, name));
    Bind(ToQueue("t", name, "*." + name));
  }
  EXPECT_THAT(Route("d", "a", {{"CC", Array{"b"}}, {"BCC", Array{"c"}}}),
              ElementsAre("a", "b", "c"));
  EXPECT_THAT(Route("t", "x.a", {{"CC", Array{"y.b", "c"}}}),
              ElementsAre("a", "b"));
  EXPECT_THAT(Route("", "a", {{"CC", Array{"b", "nope"}}}),
              ElementsAre("a", "b"));
}

TEST_F(RouterBindings, CC_03_OneCopyPerQueue) {
  Queue("q");
  EXPECT_THAT(Route("", "q", {{"CC", Array{"q"}}, {"BCC", Array{"q"}}}),
              ElementsAre("q"));
}

TEST_F(RouterBindings, AE_01_WhatIsNotRoutedGoesToTheAlternate) {
  Queues({"q", "lost"});
  Exchange("alternate", "direct");
  Exchange("x", "direct", {{"alternate-exchange", "alternate"}});
  Bind(ToQueue("x", "q", "k"));
  Bind(ToQueue("alternate", "lost", "other"));
  EXPECT_THAT(Route("x", "k"), ElementsAre("q"));
  EXPECT_THAT(Route("x", "other"), ElementsAre("lost"));
  EXPECT_THAT(Route("x", "third"), IsEmpty());
}

TEST_F(RouterBindings, AE_03_AlternatesChainAndMayBeAbsent) {
  Queue("lost");
  Exchange("x3", "fanout");
  Exchange("x2", "direct", {{"alternate-exchange", "x3"}});
  Exchange("x1", "direct", {{"alternate-exchange", "x2"}});
  Exchange("y", "direct", {{"alternate-exchange", "nope"}});
  Bind(ToQueue("x3", "lost"));
  EXPECT_THAT(Route("x1", "k"), ElementsAre("lost"));
  EXPECT_THAT(Route("y", "k"), IsEmpty());
}

TEST_F(RouterBindings, AE_03_TheDefaultExchangeIsNone) {
  Queue("q");
  Exchange("x", "direct", {{"alternate-exchange", ""}});
  EXPECT_THAT(Route("x", "q"), IsEmpty());
}

TEST_F(RouterBindings, AE_04_CyclesOfAlternatesEnd) {
  Exchange("a", "direct", {{"alternate-exchange", "b"}});
  Exchange("b", "direct", {{"alternate-exchange", "a"}});
  EXPECT_THAT(Route("a", "k"), IsEmpty());
}

TEST_F(RouterBindings, AE_05_ReachingAnExchangeCountsAsRouted) {
  Queue("lost");
  Exchange("alternate", "fanout");
  Exchange("empty", "fanout");
  Exchange("x", "fanout", {{"alternate-exchange", "alternate"}});
  Bind(ToQueue("alternate", "lost"));
  Bind(ToExchange("x", "empty"));
  EXPECT_THAT(Route("x", "k"), IsEmpty());
}

TEST_F(RouterBindings, AE_06_AnyOfTheKeysKeepsTheAlternateOut) {
  Queues({"q", "lost"});
  Exchange("alternate", "fanout");
  Exchange("x", "direct", {{"alternate-exchange", "alternate"}});
  Bind(ToQueue("alternate", "lost"));
  Bind(ToQueue("x", "q", "k"));
  EXPECT_THAT(Route("x", "other", {{"CC", Array{"k"}}}), ElementsAre("q"));
  EXPECT_THAT(Route("x", "other", {{"CC", Array{"z"}}}), ElementsAre("lost"));
}

// ---- What may be reused, and from which thread ----

TEST_F(RouterBindings, RoutesByKeyAloneUnlessHeadersMayDecide) {
  Queue("q");
  Exchange("t", "topic");
  Exchange("h", "headers");
  const auto by_key = [&](const std::string& exchange, const Table& headers) {
    return router_.RoutesByKeyAlone(
        *testing::MessageWithHeaders(exchange, "k", headers));
  };
  EXPECT_TRUE(by_key("t", {{"a", "b"}}));
  EXPECT_TRUE(by_key("h", {{"a", "b"}}));  // nothing is bound
  EXPECT_FALSE(by_key("t", {{"CC", Array{"k"}}}));
  Bind(ToQueue("h", "q", "", {{"a", "b"}}));
  EXPECT_FALSE(by_key("h", {}));
  EXPECT_TRUE(by_key("t", {}));
  Bind(ToExchange("t", "h", "#"));
  EXPECT_FALSE(by_key("t", {}));
  Unbind(ToExchange("t", "h", "#"));
  EXPECT_TRUE(by_key("t", {}));
}

TEST_F(RouterBindings, RoutingGoesOnWhileBindingsChange) {
  constexpr int kRounds = 300;
  Queues({"always", "sometimes"});
  Exchange("x", "topic");
  Bind(ToQueue("x", "always", "a.#"));
  std::atomic<bool> stop{false};
  std::atomic<int> lost{0};
  std::vector<std::thread> publishers;
  for (int i = 0; i < 2; ++i) {
    publishers.emplace_back([&] {
      while (!stop.load()) {
        const Names names = Route("x", "a.b.c", {{"h", 1.0}});
        if (std::find(names.begin(), names.end(), "always") == names.end()) {
          lost.fetch_add(1);
        }
      }
    });
  }
  for (int i = 0; i < kRounds; ++i) {
    Bind(ToQueue("x", "sometimes", "*.b.*"));
    router_.RemoveQueue("sometimes");
    Queue("sometimes");
  }
  stop.store(true);
  for (std::thread& publisher : publishers) publisher.join();
  EXPECT_EQ(lost.load(), 0);
}

}  // namespace
}  // namespace kelpmq::service
