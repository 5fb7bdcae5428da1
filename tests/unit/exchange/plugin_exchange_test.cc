// The exchange types that are plug-ins of RabbitMQ.

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/exchange/router.h"
#include "tests/testing/routing_fixture.h"

namespace kelpmq::service {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using testing::ReasonOf;
using ::testing::SizeIs;
using testing::TextOf;

class PluginExchanges : public testing::RoutingFixture {
 protected:
  // Where each key goes, which must be one place.
  std::map<std::string, std::string> Places(const std::string& exchange,
                                            int keys) {
    std::map<std::string, std::string> places;
    for (int i = 0; i < keys; ++i) {
      const std::string key = absl::StrCat("key", i);
      const Names names = Route(exchange, key);
      EXPECT_THAT(names, SizeIs(1)) << key;
      if (names.size() == 1) places[key] = names[0];
    }
    return places;
  }
  static std::map<std::string, int> CountByQueue(
      const std::map<std::string, std::string>& places) {
    std::map<std::string, int> counts;
    for (const auto& [key, queue] : places) ++counts[queue];
    return counts;
  }
  std::string ReasonOfDeclare(const std::string& type, Table arguments) {
    return ReasonOf(Declare(Spec("x", type, std::move(arguments))));
  }
};

// ---- x-consistent-hash ----

TEST_F(PluginExchanges, PLUG_01_EachValueHasOneQueueByWeight) {
  Queues({"a", "b"});
  Exchange("x", "x-consistent-hash");
  Bind(ToQueue("x", "a", "1"));
  Bind(ToQueue("x", "b", "3"));
  const auto places = Places("x", 4000);
  EXPECT_EQ(Places("x", 4000), places) << "the same value, the same queue";
  EXPECT_THAT(CountByQueue(places).at("b"), AllOf(Ge(2850), Le(3150)));
}

TEST_F(PluginExchanges, PLUG_01_MoreBindingsMoveFewValues) {
  Exchange("x", "x-consistent-hash");
  for (const std::string queue : {"a", "b", "c"}) {
    Queue(queue);
    Bind(ToQueue("x", queue, "1"));
  }
  const auto before = Places("x", 2000);
  Queue("d");
  Bind(ToQueue("x", "d", "1"));
  for (const auto& [key, queue] : Places("x", 2000)) {
    EXPECT_TRUE(queue == "d" || queue == before.at(key)) << key;
  }
  Unbind(ToQueue("x", "d", "1"));
  EXPECT_EQ(Places("x", 2000), before) << "and none for good";
}

TEST_F(PluginExchanges, PLUG_01_AHeaderOrAPropertyMayBeHashed) {
  Exchange("h", "x-consistent-hash", {{"hash-header", "user"}});
  for (int i = 0; i < 8; ++i) {
    Queue(absl::StrCat("q", i));
    Bind(ToQueue("h", absl::StrCat("q", i), "1"));
  }
  std::set<Names> places;
  for (int user = 0; user < 50; ++user) {
    const Table headers = {{"user", int32_t{user}}};
    const Names place = Route("h", "a", headers);
    EXPECT_THAT(place, SizeIs(1));
    EXPECT_EQ(Route("h", "b", headers), place) << "the key does not count";
    places.insert(place);
  }
  EXPECT_THAT(places, SizeIs(8));
  EXPECT_THAT(Route("h", "a"), SizeIs(1)) << "without the header, too";
}

TEST_F(PluginExchanges, PLUG_01_ASecondBindingOfAQueueIsIgnored) {
  Queues({"a", "b"});
  Exchange("x", "x-consistent-hash");
  Bind(ToQueue("x", "a", "1"));
  Bind(ToQueue("x", "b", "1"));
  const auto before = Places("x", 500);
  Bind(ToQueue("x", "a", "1000"));
  EXPECT_EQ(Places("x", 500), before);
  Unbind(ToQueue("x", "a", "1"));
  EXPECT_GT(CountByQueue(Places("x", 500))["a"], 490) << "it is the first now";
  Unbind(ToQueue("x", "a", "1000"));
  EXPECT_EQ(CountByQueue(Places("x", 500))["b"], 500);
  Unbind(ToQueue("x", "b", "1"));
  EXPECT_THAT(Route("x", "k"), IsEmpty());
}

TEST_F(PluginExchanges, PLUG_02_TheWeightIsANumberAboveZero) {
  Queue("q");
  Exchange("x", "x-consistent-hash");
  for (const std::string key : {"abc", "", "1.5", "1x", " 1", "1 "}) {
    const auto bound = router_.Bind(ToQueue("x", "q", key));
    EXPECT_EQ(ReasonOf(bound), "INVALID_ARGUMENT_VALUE");
    EXPECT_EQ(TextOf(bound), absl::StrCat("The binding key must be an "
                                          "integer: <<\"",
                                          key, "\">>"));
  }
  for (const std::string key : {"0", "-1"}) {
    EXPECT_EQ(TextOf(router_.Bind(ToQueue("x", "q", key))),
              "The binding key must be greater than 0");
  }
}

TEST_F(PluginExchanges, PLUG_01_TheHashArgumentsAreChecked) {
  const std::string type = "x-consistent-hash", bad = "INVALID_ARGUMENT_VALUE";
  EXPECT_EQ(ReasonOfDeclare(type, {{"hash-header", int32_t{1}}}), bad);
  EXPECT_EQ(ReasonOfDeclare(type, {{"hash-property", "type"}}), bad);
  EXPECT_EQ(ReasonOfDeclare(
                type, {{"hash-header", "a"}, {"hash-property", "timestamp"}}),
            bad);
  EXPECT_EQ(ReasonOfDeclare(type, {{"hash-property", "timestamp"}}), "OK");
}

// ---- x-modulus-hash ----

TEST_F(PluginExchanges, PLUG_03_AQueueBoundTwiceWeighsTwice) {
  Queues({"a", "b"});
  Exchange("x", "x-modulus-hash");
  Bind(ToQueue("x", "a", "1"));
  Bind(ToQueue("x", "a", "2"));
  Bind(ToQueue("x", "b", "any key"));
  const auto places = Places("x", 3000);
  EXPECT_EQ(Places("x", 3000), places);
  EXPECT_THAT(CountByQueue(places).at("a"), AllOf(Ge(1850), Le(2150)));
  Unbind(ToQueue("x", "b", "any key"));
  EXPECT_EQ(CountByQueue(Places("x", 100)).at("a"), 100);
}

// ---- x-random, x-local-random ----

TEST_F(PluginExchanges, PLUG_04_OneDestinationAtRandom) {
  for (const std::string type : {"x-random", "x-local-random"}) {
    Exchange(type, type);
    EXPECT_THAT(Route(type, "k"), IsEmpty());
    for (const std::string queue : {"a", "b", "c"}) {
      if (type == "x-random") Queue(queue);
      Bind(ToQueue(type, queue, "ignored"));
    }
    std::map<Names, int> counts;
    for (int i = 0; i < 3000; ++i) ++counts[Route(type, "k")];
    EXPECT_THAT(counts, SizeIs(3));
    for (const auto& [names, count] : counts) {
      EXPECT_THAT(names, SizeIs(1));
      EXPECT_THAT(count, AllOf(Ge(850), Le(1150)));
    }
  }
}

TEST_F(PluginExchanges, PLUG_04_TheSeedDecides) {
  const auto sequence = [](uint64_t seed) {
    Router router("/", seed);
    EXPECT_TRUE(router.DeclareExchange(Spec("x", "x-random"), false).ok());
    for (const std::string queue : {"a", "b", "c"}) {
      router.AddQueue(queue, std::make_shared<testing::NamedTarget>(queue));
      EXPECT_TRUE(router.Bind(ToQueue("x", queue)).ok());
    }
    std::vector<TargetId> all;
    for (int i = 0; i < 50; ++i) {
      Routes routes;
      EXPECT_TRUE(
          router.Route(*testing::MessageWithHeaders("x", "k", {}), &routes)
              .ok());
      all.insert(all.end(), routes.targets.begin(), routes.targets.end());
    }
    return all;
  };
  EXPECT_EQ(sequence(1), sequence(1));
  EXPECT_FALSE(sequence(1) == sequence(2));
}

// ---- x-recent-history ----

class RecentHistoryExchangeTest : public PluginExchanges {
 protected:
  // The keys of the messages that the newest binding has missed.
  Names Missed(const std::string& exchange) {
    Names keys;
    for (const MessageRef& message :
         router_.ReplayForLastBinding(exchange)->messages()) {
      keys.emplace_back(message->routing_key());
    }
    return keys;
  }
};

TEST_F(RecentHistoryExchangeTest, PLUG_05_KeepsTheLastAndActsAsFanout) {
  Queues({"q", "r"});
  Exchange("x", "x-recent-history", {{"x-recent-history-length", int32_t{2}}});
  for (const std::string key : {"1", "2", "3"}) Route("x", key);
  Bind(ToQueue("x", "q"));
  EXPECT_THAT(Missed("x"), ElementsAre("2", "3"));
  EXPECT_THAT(Route("x", "4"), ElementsAre("q"));
  EXPECT_THAT(Missed("x"), ElementsAre("3"))
      << "what was routed to it comes only once";
  Bind(ToQueue("x", "r"));
  EXPECT_THAT(Missed("x"), ElementsAre("3", "4"));
}

TEST_F(RecentHistoryExchangeTest, PLUG_05_KeepsTwentyByDefault) {
  Queue("q");
  Exchange("x", "x-recent-history");
  for (int i = 0; i < 25; ++i) Route("x", "k");
  Bind(ToQueue("x", "q"));
  EXPECT_THAT(Missed("x"), SizeIs(20));
}

TEST_F(RecentHistoryExchangeTest, PLUG_05_NoStoreSkipsStoring) {
  Queue("q");
  Exchange("x", "x-recent-history");
  Route("x", "1", {{"x-recent-history-no-store", true}});
  Route("x", "2", {{"x-recent-history-no-store", false}});
  Bind(ToQueue("x", "q"));
  EXPECT_THAT(Missed("x"), ElementsAre("2"));
  EXPECT_THAT(Route("x", "3", {{"x-recent-history-no-store", true}}),
              ElementsAre("q"));
}

TEST_F(RecentHistoryExchangeTest, PLUG_05_TheLengthIsChecked) {
  for (const Value& length :
       {Value(int32_t{-1}), Value(int32_t{0}), Value("2")}) {
    EXPECT_EQ(ReasonOfDeclare("x-recent-history",
                              {{"x-recent-history-length", length}}),
              "INVALID_ARGUMENT_VALUE");
  }
}

TEST_F(RecentHistoryExchangeTest, PLUG_05_BindingsLoseAndDoubleNothing) {
  constexpr int kMessages = 2000;
  Queue("q");
  Exchange("x", "x-recent-history",
           {{"x-recent-history-length", int32_t{2 * kMessages}}});
  // Each message reaches the queue by the binding or by the history.
  std::multiset<std::string> received;
  std::array<std::multiset<std::string>, 2> routed;
  std::vector<std::thread> publishers;
  for (int p = 0; p < 2; ++p) {
    publishers.emplace_back([&, p] {
      for (int i = 0; i < kMessages; ++i) {
        const std::string key = absl::StrCat(p, ".", i);
        if (!Route("x", key).empty()) routed[p].insert(key);
      }
    });
  }
  Bind(ToQueue("x", "q"));
  for (const std::string& key : Missed("x")) received.insert(key);
  for (std::thread& publisher : publishers) publisher.join();
  for (const auto& keys : routed) received.insert(keys.begin(), keys.end());
  EXPECT_EQ(received.size(), 2u * kMessages);
  EXPECT_EQ(std::set<std::string>(received.begin(), received.end()).size(),
            2u * kMessages);
}

TEST_F(RecentHistoryExchangeTest, NoKeyAloneDecidesWhereItMayStand) {
  const auto by_key = [&](const std::string& exchange) {
    return router_.RoutesByKeyAlone(
        *testing::MessageWithHeaders(exchange, "k", {}));
  };
  Exchange("t", "topic");
  EXPECT_TRUE(by_key("t"));
  Exchange("x", "x-recent-history");
  EXPECT_FALSE(by_key("x")) << "each message is to be stored";
  EXPECT_TRUE(by_key("t"));
  Bind(ToExchange("t", "x", "#"));
  EXPECT_FALSE(by_key("t"));
}

// ---- x-message-deduplication ----

class DeduplicationExchangeTest : public PluginExchanges {
 protected:
  void Make(Table arguments) {
    Queue("q");
    arguments.emplace("x-cache-size", int32_t{100});
    Exchange("x", "x-message-deduplication", std::move(arguments));
    Bind(ToQueue("x", "q", "no key counts"));
  }
  // Whether a message with this value is routed.
  bool Routed(const Value& value, Table more = {}) {
    more["x-deduplication-header"] = value;
    return !Route("x", "k", std::move(more)).empty();
  }
};

TEST_F(DeduplicationExchangeTest, PLUG_07_RoutesEachValueOnce) {
  Make({});
  EXPECT_TRUE(Routed("a"));
  EXPECT_FALSE(Routed("a"));
  EXPECT_TRUE(Routed("b"));
  EXPECT_TRUE(Routed(int32_t{1}));
  EXPECT_FALSE(Routed(int64_t{1})) << "widths do not count";
  EXPECT_TRUE(Routed("1"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Route("x", "k"), ElementsAre("q")) << "no header";
  }
}

TEST_F(DeduplicationExchangeTest, PLUG_07_ForgetsAfterItsTime) {
  Make({{"x-cache-ttl", int32_t{1000}}});
  EXPECT_TRUE(Routed("a"));
  EXPECT_TRUE(Routed("b", {{"x-cache-ttl", int32_t{2000}}}));
  clock_.Advance(absl::Milliseconds(999));
  EXPECT_FALSE(Routed("a")) << "and a duplicate does not prolong it";
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(Routed("a"));
  EXPECT_FALSE(Routed("b"));
  clock_.Advance(absl::Milliseconds(1000));
  EXPECT_TRUE(Routed("b"));
}

TEST_F(DeduplicationExchangeTest, PLUG_07_ForgetsTheOldestWhenItIsFull) {
  Make({{"x-cache-size", "2"}});
  EXPECT_TRUE(Routed("a"));
  EXPECT_TRUE(Routed("b"));
  EXPECT_TRUE(Routed("c"));
  EXPECT_FALSE(Routed("b"));
  EXPECT_FALSE(Routed("c"));
  EXPECT_TRUE(Routed("a"));
}

TEST_F(DeduplicationExchangeTest, PLUG_07_SeesWhatFoundNoQueue) {
  Exchange("x", "x-message-deduplication", {{"x-cache-size", int32_t{9}}});
  EXPECT_FALSE(Routed("a"));
  Queue("q");
  Bind(ToQueue("x", "q"));
  EXPECT_FALSE(Routed("a"));
  EXPECT_FALSE(
      router_.RoutesByKeyAlone(*testing::MessageWithHeaders("x", "k", {})));
}

TEST_F(DeduplicationExchangeTest, PLUG_07_ArgumentsAreChecked) {
  for (const Table& arguments :
       {Table{}, Table{{"x-cache-size", int32_t{0}}},
        Table{{"x-cache-size", "many"}},
        Table{{"x-cache-size", int32_t{1}}, {"x-cache-ttl", int32_t{0}}},
        Table{{"x-cache-size", int32_t{1}}, {"x-cache-persistence", "tape"}}}) {
    EXPECT_EQ(ReasonOfDeclare("x-message-deduplication", arguments),
              "INVALID_ARGUMENT_VALUE");
  }
}

// ---- x-delayed-message ----

class DelayedExchangeTest : public PluginExchanges {
 protected:
  Routes RoutesOf(const std::string& exchange, const std::string& key,
                  const Table& headers) {
    Routes routes;
    EXPECT_TRUE(router_
                    .Route(*testing::MessageWithHeaders(exchange, key, headers),
                           &routes)
                    .ok());
    return routes;
  }
};

TEST_F(DelayedExchangeTest, PLUG_06_HoldsWhatHasADelay) {
  Queue("q");
  Exchange("x", "x-delayed-message", {{"x-delayed-type", "topic"}});
  Bind(ToQueue("x", "q", "a.*"));
  EXPECT_THAT(Route("x", "a.b"), ElementsAre("q"));
  EXPECT_THAT(Route("x", "b"), IsEmpty());
  const Routes held = RoutesOf("x", "a.b", {{"x-delay", int32_t{5}}});
  EXPECT_THAT(held.targets, IsEmpty());
  EXPECT_THAT(held.holders, ElementsAre("x"));
  EXPECT_THAT(Route("x", "a.b", {{"x-delay", int32_t{0}}}), ElementsAre("q"));
  EXPECT_THAT(Route("x", "a.b", {{"x-delay", int32_t{-5}}}), ElementsAre("q"));
}

TEST_F(DelayedExchangeTest, PLUG_06_HoldsWhatReachesItByABinding) {
  Queue("q");
  Exchange(
      "d", "x-delayed-message",
      {{"x-delayed-type", "fanout"}, {"alternate-exchange", "amq.fanout"}});
  Exchange("t", "fanout");
  Bind(ToExchange("t", "d"));
  Bind(ToQueue("t", "q"));
  Bind(ToQueue("amq.fanout", "q"));
  const Routes routes = RoutesOf("t", "", {{"x-delay", int32_t{5}}});
  EXPECT_THAT(routes.targets, SizeIs(1));
  EXPECT_THAT(routes.holders, ElementsAre("d"));
  EXPECT_THAT(RoutesOf("d", "", {{"x-delay", int32_t{5}}}).targets, IsEmpty())
      << "what waits is not unroutable";
}

TEST_F(DelayedExchangeTest, PLUG_06_TheTypeMustBeKnown) {
  for (const Table& arguments :
       {Table{}, Table{{"x-delayed-type", "bogus"}},
        Table{{"x-delayed-type", int32_t{1}}},
        Table{{"x-delayed-type", "x-delayed-message"}}}) {
    const auto declared = Declare(Spec("x", "x-delayed-message", arguments));
    EXPECT_EQ(ReasonOf(declared), "INVALID_ARGUMENT_VALUE");
    EXPECT_THAT(TextOf(declared), HasSubstr("'x-delayed-type'"));
  }
}

}  // namespace
}  // namespace kelpmq::service
