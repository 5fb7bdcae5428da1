#include "client/cpp/src/topology_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kelpmq::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::DeclareExchangeRequest Exchange(const std::string& name) {
  v1::DeclareExchangeRequest request;
  request.set_name(name);
  return request;
}

v1::DeclareQueueRequest Queue(const std::string& name) {
  v1::DeclareQueueRequest request;
  request.set_name(name);
  return request;
}

v1::BindQueueRequest Binding(const std::string& exchange,
                             const std::string& queue,
                             const std::string& key = "") {
  v1::BindQueueRequest request;
  request.set_exchange(exchange);
  request.set_queue(queue);
  request.set_routing_key(key);
  return request;
}

v1::BindExchangeRequest ExchangeBinding(const std::string& source,
                                        const std::string& destination) {
  v1::BindExchangeRequest request;
  request.set_source(source);
  request.set_destination(destination);
  return request;
}

std::vector<std::string> Resources(const TopologyRecord& record) {
  std::vector<std::string> resources;
  for (const TopologyRecord::Step& step : record.Steps()) {
    resources.push_back(step.resource);
  }
  return resources;
}

TEST(TopologyRecord, BindingsComeAfterWhatTheyBind) {
  TopologyRecord record;
  record.Bound(Binding("e", "q"));
  record.Bound(ExchangeBinding("e", "f"));
  record.Declared(Queue("q"), "q");
  record.Declared(Exchange("f"));
  record.Declared(Exchange("e"));
  EXPECT_THAT(Resources(record),
              ElementsAre("e", "f", "q", "e -> f", "e -> q"));
}

TEST(TopologyRecord, DeclaringAgainIsRestoredOnce) {
  TopologyRecord record;
  for (int i = 0; i < 2; ++i) {
    record.Declared(Exchange("e"));
    record.Declared(Queue("q"), "q");
    record.Bound(Binding("e", "q", "k"));
  }
  EXPECT_THAT(Resources(record), ElementsAre("e", "q", "e -> q"));
}

TEST(TopologyRecord, BindingsThatDifferInTheirKeyAreDifferent) {
  TopologyRecord record;
  record.Bound(Binding("e", "q", "a"));
  record.Bound(Binding("e", "q", "b"));
  record.Unbound(Binding("e", "q", "a"));
  ASSERT_THAT(Resources(record), ElementsAre("e -> q"));
  EXPECT_EQ(
      std::get<v1::BindQueueRequest>(record.Steps()[0].request).routing_key(),
      "b");
}

TEST(TopologyRecord, ADeletedQueueTakesItsBindingsWithIt) {
  TopologyRecord record;
  record.Declared(Queue("q"), "q");
  record.Declared(Queue("other"), "other");
  record.Bound(Binding("e", "q"));
  record.Bound(Binding("e", "other"));
  record.DeletedQueue("q");
  EXPECT_THAT(Resources(record), ElementsAre("other", "e -> other"));
}

TEST(TopologyRecord, ADeletedExchangeTakesBindingsOfBothEndsWithIt) {
  TopologyRecord record;
  record.Declared(Exchange("e"));
  record.Bound(Binding("e", "q"));
  record.Bound(ExchangeBinding("e", "f"));
  record.Bound(ExchangeBinding("f", "e"));
  record.DeletedExchange("e");
  EXPECT_THAT(Resources(record), IsEmpty());
}

TEST(TopologyRecord, AQueueThatTheBrokerNamesIsDeclaredWithoutAName) {
  TopologyRecord record;
  record.Declared(Queue(""), "amq.gen-1");
  EXPECT_THAT(Resources(record), ElementsAre("amq.gen-1"));
  EXPECT_EQ(std::get<v1::DeclareQueueRequest>(record.Steps()[0].request).name(),
            "");
}

TEST(TopologyRecord, BindingsFollowAQueueToItsNewName) {
  TopologyRecord record;
  record.Declared(Queue(""), "amq.gen-1");
  record.Bound(Binding("e", "amq.gen-1"));
  record.Renamed("amq.gen-1", "amq.gen-2");
  record.Renamed("amq.gen-2", "amq.gen-3");
  EXPECT_THAT(Resources(record), ElementsAre("amq.gen-3", "e -> amq.gen-3"));
  EXPECT_EQ(record.CurrentName("amq.gen-1"), "amq.gen-3");
  EXPECT_EQ(record.CurrentName("amq.gen-2"), "amq.gen-3");
  EXPECT_EQ(record.CurrentName("q"), "q");
}

}  // namespace
}  // namespace kelpmq::client
