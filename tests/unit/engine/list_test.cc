// Lists in pages: complete, ordered, and stable while things come and go.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Lists : public EngineTest {
 protected:
  ListParams Params(uint32_t limit = 1000) {
    ListParams params;
    params.vhost = vhost_;
    params.limit = limit;
    return params;
  }
  absl::StatusOr<Page<ExchangeInfo>> Exchanges(const ListParams& params) {
    return Await<Page<ExchangeInfo>>(
        [&](auto done) { engine_.ListExchanges(params, std::move(done)); });
  }
  absl::StatusOr<Page<QueueInfo>> Queues(const ListParams& params) {
    return Await<Page<QueueInfo>>(
        [&](auto done) { engine_.ListQueues(params, std::move(done)); });
  }
  absl::StatusOr<Page<BindingSpec>> Bindings(const ListParams& params) {
    return Await<Page<BindingSpec>>(
        [&](auto done) { engine_.ListBindings(params, std::move(done)); });
  }
  absl::StatusOr<Page<ConsumerInfo>> Consumers(const ListParams& params) {
    return Await<Page<ConsumerInfo>>(
        [&](auto done) { engine_.ListConsumers(params, std::move(done)); });
  }

  // All pages; no page may exceed the limit.
  template <typename Item>
  std::vector<Item> All(
      const std::function<absl::StatusOr<Page<Item>>(const ListParams&)>& list,
      ListParams params) {
    std::vector<Item> items;
    for (int pages = 0; pages < 10'000; ++pages) {
      absl::StatusOr<Page<Item>> page = list(params);
      if (!page.ok()) {
        ADD_FAILURE() << page.status();
        return items;
      }
      EXPECT_LE(page->items.size(), params.limit);
      for (Item& item : page->items) items.push_back(std::move(item));
      if (page->next.empty()) return items;
      params.after = page->next;
    }
    ADD_FAILURE() << "the list never ends";
    return items;
  }
  std::vector<std::string> QueueNames(ListParams params) {
    std::vector<std::string> names;
    for (const QueueInfo& info : All<QueueInfo>(
             [&](const ListParams& p) { return Queues(p); }, params)) {
      names.push_back(info.spec.name);
    }
    return names;
  }
  std::vector<std::string> ExchangeNames(ListParams params) {
    std::vector<std::string> names;
    for (const ExchangeInfo& info : All<ExchangeInfo>(
             [&](const ListParams& p) { return Exchanges(p); }, params)) {
      names.push_back(info.spec.name);
    }
    return names;
  }
  std::vector<BindingSpec> AllBindings(ListParams params) {
    return All<BindingSpec>([&](const ListParams& p) { return Bindings(p); },
                            params);
  }
  std::vector<std::string> ConsumerNames(ListParams params) {
    std::vector<std::string> names;
    for (const ConsumerInfo& info : All<ConsumerInfo>(
             [&](const ListParams& p) { return Consumers(p); }, params)) {
      names.push_back(info.queue + "/" + info.consumer_tag);
    }
    return names;
  }
  void StartConsumer(const std::string& queue, const std::string& tag) {
    ConsumeParams params = Consumer(queue, NewSink());
    params.consumer_tag = tag;
    ASSERT_TRUE(Consume(params).ok());
  }
};

TEST_F(Lists, ExchangesStartWithTheDefaultOne) {
  for (uint32_t limit : {1u, 2u, 3u, 7u, 100u}) {
    EXPECT_THAT(ExchangeNames(Params(limit)),
                ElementsAre("", "amq.direct", "amq.fanout", "amq.headers",
                            "amq.match", "amq.rabbitmq.trace", "amq.topic"));
  }
}

TEST_F(Lists, ExchangesByPrefix) {
  ASSERT_TRUE(DeclareExchange("b1").ok());
  ASSERT_TRUE(DeclareExchange("b2").ok());
  ASSERT_TRUE(DeclareExchange("c").ok());
  ListParams params = Params(1);
  params.name_prefix = "b";
  EXPECT_THAT(ExchangeNames(params), ElementsAre("b1", "b2"));
}

TEST_F(Lists, QueuesComeByNameAndPrefix) {
  for (const char* name : {"b2", "a", "b1", "c", "b"}) {
    ASSERT_TRUE(Declare(name).ok());
  }
  EXPECT_THAT(QueueNames(Params(2)), ElementsAre("a", "b", "b1", "b2", "c"));
  ListParams params = Params(2);
  params.name_prefix = "b";
  EXPECT_THAT(QueueNames(params), ElementsAre("b", "b1", "b2"));
  params.name_prefix = "d";
  EXPECT_THAT(QueueNames(params), IsEmpty());
}

TEST_F(Lists, QueueListGoesOnAfterTheLastNameThoughItWasDeleted) {
  for (const char* name : {"a", "b", "c", "d"}) ASSERT_TRUE(Declare(name).ok());
  ListParams params = Params(2);
  auto first = Queues(params);
  ASSERT_TRUE(first.ok());
  ASSERT_THAT(first->items, SizeIs(2));
  ASSERT_TRUE(DeleteQueue("b").ok());
  ASSERT_TRUE(Declare("aa").ok());
  ASSERT_TRUE(Declare("bb").ok());
  params.after = first->next;
  params.limit = 100;
  EXPECT_THAT(QueueNames(params), ElementsAre("bb", "c", "d"));
}

TEST_F(Lists, FullLastPageHasNoNext) {
  ASSERT_TRUE(Declare("a").ok());
  ASSERT_TRUE(Declare("b").ok());
  auto page = Queues(Params(2));
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(page->items, SizeIs(2));
  EXPECT_EQ(page->next, "");
}

TEST_F(Lists, ForeignTokenIsRefused) {
  ASSERT_TRUE(Declare("a").ok());
  ListParams params = Params();
  for (const char* token : {"x", "5:abc", "1:a1:b", ":", "9999999999999:a"}) {
    params.after = token;
    EXPECT_EQ(ReasonOf(Queues(params)), "BAD_PAGE_TOKEN") << token;
    EXPECT_EQ(ReasonOf(Exchanges(params)), "BAD_PAGE_TOKEN") << token;
    EXPECT_EQ(ReasonOf(Bindings(params)), "BAD_PAGE_TOKEN") << token;
    EXPECT_EQ(ReasonOf(Consumers(params)), "BAD_PAGE_TOKEN") << token;
  }
}

// All bindings of a busy vhost.
class BindingLists : public Lists {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b"}) {
      ASSERT_TRUE(Declare(name).ok());
      ASSERT_TRUE(DeclareExchange(name, "fanout").ok());
    }
    const std::vector<Table> arguments = {
        {},
        {{"n", int32_t{1}}},
        {{"n", int64_t{1}}},
        {{"n", 1.5}},
        {{"n", 1.50000000001}},
        {{"n", true}},
        {{"n", "text"}},
        {{"n", Bytes{"\xff\x01"}}},
        {{"n", RawString{"\xff\x01"}}},
        {{"n", Table{{"deep", Array{int32_t{1}, "two", Void{}}}}}},
        {{"n", Void{}}, {"m", Timestamp{7}}, {"o", Decimal{2, 7}}},
    };
    for (const char* source : {"amq.fanout", "amq.topic", "a"}) {
      for (const char* queue : {"a", "b"}) {
        for (const char* key : {"", "k", "k.#"}) {
          for (const Table& table : arguments) {
            auto bound = Bind(source, queue, key, table);
            ASSERT_TRUE(bound.ok() && *bound) << bound.status();
            ++count_;
          }
        }
      }
      ASSERT_TRUE(*BindExchange(source, "b", "k"));
      ++count_;
    }
    count_ += 2;  // of the default exchange
  }

  size_t count_ = 0;
};

TEST_F(BindingLists, PagesOfAnySizeAddUpToTheSameList) {
  const std::vector<BindingSpec> all = AllBindings(Params());
  ASSERT_EQ(all.size(), count_);
  EXPECT_EQ(all[0].source, "");
  EXPECT_EQ(all[0].destination, "a");
  EXPECT_EQ(all[0].routing_key, "a");
  for (size_t i = 1; i < all.size(); ++i) {
    const auto key = [](const BindingSpec& b) {
      return std::tie(b.source, b.destination, b.kind, b.routing_key);
    };
    EXPECT_LE(key(all[i - 1]), key(all[i]));
    EXPECT_FALSE(all[i - 1] == all[i]);
  }
  for (uint32_t limit : {1u, 7u, 11u}) {
    EXPECT_EQ(AllBindings(Params(limit)), all) << "limit " << limit;
  }
}

TEST_F(BindingLists, FiltersCombine) {
  ListParams params = Params(5);
  params.source = "amq.topic";
  EXPECT_THAT(AllBindings(params), SizeIs(67));
  params.destination = "b";
  EXPECT_THAT(AllBindings(params), SizeIs(34));
  params.kind = DestinationKind::kExchange;
  EXPECT_THAT(AllBindings(params), SizeIs(1));
  params = Params(5);
  params.source = "";
  EXPECT_THAT(AllBindings(params), SizeIs(2));
}

TEST_F(BindingLists, ListGoesOnThoughTheLastBindingIsGone) {
  const std::vector<BindingSpec> all = AllBindings(Params());
  ListParams params = Params(30);
  auto page = Bindings(params);
  ASSERT_TRUE(page.ok());
  const BindingSpec& last = page->items.back();
  ASSERT_TRUE(
      *Unbind(last.source, last.destination, last.routing_key, last.arguments));
  params.after = page->next;
  const std::vector<BindingSpec> rest = AllBindings(params);
  EXPECT_EQ(rest, std::vector<BindingSpec>(all.begin() + 30, all.end()));
}

TEST_F(Lists, ConsumersComeByQueueAndTagInPagesOfAnySize) {
  std::vector<std::string> expected;
  for (const char* queue : {"a", "b", "c", "d"}) {
    ASSERT_TRUE(Declare(queue).ok());
    if (queue == std::string("c")) continue;  // one without consumers
    for (const char* tag : {"t2", "t1", "t2", "t3", "t2"}) {
      StartConsumer(queue, tag);  // tags may repeat: unique per channel only
      expected.push_back(std::string(queue) + "/" + tag);
    }
  }
  std::sort(expected.begin(), expected.end());
  for (uint32_t limit : {1u, 2u, 3u, 5u, 6u, 15u, 100u}) {
    EXPECT_EQ(ConsumerNames(Params(limit)), expected) << "limit " << limit;
  }
}

TEST_F(Lists, ConsumersOfOneQueue) {
  ASSERT_TRUE(Declare("a").ok());
  ASSERT_TRUE(Declare("b").ok());
  ASSERT_TRUE(Declare("empty").ok());
  StartConsumer("a", "t1");
  StartConsumer("b", "t2");
  StartConsumer("b", "t3");
  ListParams params = Params(1);
  params.queue = "b";
  EXPECT_THAT(ConsumerNames(params), ElementsAre("b/t2", "b/t3"));
  params.queue = "empty";
  EXPECT_THAT(ConsumerNames(params), IsEmpty());
  params.queue = "none";
  EXPECT_EQ(ReasonOf(Consumers(params)), "QUEUE_NOT_FOUND");
}

TEST_F(Lists, ConsumerListGoesOnThoughTheLastOneIsGone) {
  ASSERT_TRUE(Declare("a").ok());
  ASSERT_TRUE(Declare("b").ok());
  auto first = Consume("a", NewSink(), 1);
  StartConsumer("a", "tag2");
  StartConsumer("b", "tag3");
  auto page = Consumers(Params(1));
  ASSERT_TRUE(page.ok());
  ASSERT_TRUE(Cancel(*first).ok());
  ListParams params = Params(1);
  params.after = page->next;
  EXPECT_THAT(ConsumerNames(params), ElementsAre("a/tag2", "b/tag3"));
}

TEST_F(Lists, ConsumerCarriesWhatItWasStartedWith) {
  ASSERT_TRUE(Declare("q").ok());
  ConsumeParams params = Consumer("q", NewSink());
  params.consumer_tag = "mine";
  params.prefetch_count = 7;
  params.priority = 3;
  params.client_name = "app";
  params.peer = "ipv4:127.0.0.1:1";
  params.arguments = {{"a", "b"}};
  ASSERT_TRUE(Consume(params).ok());
  ASSERT_TRUE(Publish("", "q", {"m"}).ok());
  auto page = Consumers(Params());
  ASSERT_TRUE(page.ok());
  ASSERT_THAT(page->items, SizeIs(1));
  const ConsumerInfo& info = page->items[0];
  EXPECT_EQ(info.queue, "q");
  EXPECT_EQ(info.consumer_tag, "mine");
  EXPECT_EQ(info.prefetch_count, 7u);
  EXPECT_EQ(info.priority, 3);
  EXPECT_EQ(info.unacked_count, 1u);
  EXPECT_EQ(info.client_name, "app");
  EXPECT_EQ(info.peer, "ipv4:127.0.0.1:1");
  EXPECT_EQ(info.arguments, params.arguments);
  EXPECT_TRUE(info.active);
}

TEST_F(Lists, VhostsComeByName) {
  for (const char* name : {"c", "a", "b"}) {
    VhostInfo info;
    info.name = name;
    ASSERT_TRUE(Await<bool>([&](auto done) {
                  engine_.PutVhost(info, std::move(done));
                }).ok());
  }
  std::vector<std::string> names;
  for (const VhostInfo& info : All<VhostInfo>(
           [&](const ListParams& p) {
             return Await<Page<VhostInfo>>(
                 [&](auto done) { engine_.ListVhosts(p, std::move(done)); });
           },
           Params(2))) {
    names.push_back(info.name);
  }
  EXPECT_THAT(names, ElementsAre("/", "a", "b", "c"));
}

}  // namespace
}  // namespace kelpmq::service::testing
