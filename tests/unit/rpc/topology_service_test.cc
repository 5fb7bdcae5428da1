#include "service/rpc/topology_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/broker_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TopologyServiceTest : public BrokerFixture {
 protected:
  auto DeclareQueue(const std::string& name, const std::string& session_id = "",
                    bool exclusive = false) {
    v1::DeclareQueueRequest request;
    request.set_name(name);
    request.set_session_id(session_id);
    request.set_exclusive(exclusive);
    return Call(&Topology::DeclareQueue, request);
  }
  auto DeclareExchange(const std::string& name, const std::string& type) {
    v1::DeclareExchangeRequest request;
    request.set_name(name);
    request.set_type(type);
    return Call(&Topology::DeclareExchange, request);
  }
  auto BindQueue(const std::string& exchange, const std::string& key,
                 const std::string& queue) {
    v1::BindQueueRequest request;
    request.set_exchange(exchange);
    request.set_routing_key(key);
    request.set_queue(queue);
    return Call(&Topology::BindQueue, request);
  }
  auto GetQueue(const std::string& name) {
    v1::GetQueueRequest request;
    request.set_name(name);
    return Call(&Topology::GetQueue, request);
  }
  std::string OpenSession(const std::string& client_name = "",
                          const std::string& vhost = "") {
    v1::OpenSessionRequest request;
    request.set_client_name(client_name);
    request.set_vhost(vhost);
    auto opened = Call(&Session::OpenSession, request);
    EXPECT_EQ(opened.reason, "OK");
    return opened->session_id();
  }
  void PutVhost(const std::string& name) {
    v1::PutVhostRequest request;
    request.mutable_vhost()->set_name(name);
    EXPECT_EQ(Call(&Admin::PutVhost, request).reason, "OK");
  }
  void Publish(const std::string& queue) {
    v1::PublishRequest request;
    request.set_routing_key(queue);
    request.mutable_message()->set_body("x");
    EXPECT_EQ(Call(&Messaging::Publish, request).reason, "OK");
  }
};

// ---- Exchanges ----

TEST_F(TopologyServiceTest, DeclaresGetsAndDeletesAnExchange) {
  v1::DeclareExchangeRequest request;
  request.set_name("events");
  request.set_type("topic");
  request.set_durable(true);
  request.set_auto_delete(true);
  request.set_internal(true);
  request.set_alternate_exchange("fallback");
  (*request.mutable_arguments())["vendor"].set_int16_value(7);
  auto declared = Call(&Topology::DeclareExchange, request);
  ASSERT_EQ(declared.reason, "OK");
  EXPECT_TRUE(declared->created());
  EXPECT_FALSE(Call(&Topology::DeclareExchange, request)->created());

  v1::GetExchangeRequest get;
  get.set_name("events");
  const v1::Exchange exchange = Call(&Topology::GetExchange, get)->exchange();
  EXPECT_EQ(exchange.vhost(), "/");
  EXPECT_EQ(exchange.name(), "events");
  EXPECT_EQ(exchange.type(), "topic");
  EXPECT_TRUE(exchange.durable());
  EXPECT_TRUE(exchange.auto_delete());
  EXPECT_TRUE(exchange.internal());
  EXPECT_EQ(exchange.alternate_exchange(), "fallback");
  EXPECT_EQ(exchange.arguments().at("vendor").int16_value(), 7);
  EXPECT_EQ(exchange.arguments().at("alternate-exchange").string_value(),
            "fallback");

  v1::DeleteExchangeRequest remove;
  remove.set_name("events");
  EXPECT_TRUE(Call(&Topology::DeleteExchange, remove)->deleted());
  EXPECT_FALSE(Call(&Topology::DeleteExchange, remove)->deleted());
  EXPECT_EQ(Call(&Topology::GetExchange, get).reason, "EXCHANGE_NOT_FOUND");
}

TEST_F(TopologyServiceTest, AnExchangeWithoutTypeIsDirect) {
  EXPECT_EQ(DeclareExchange("x", "")->exchange().type(), "direct");
}

TEST_F(TopologyServiceTest, EXD_02_UnequalRedeclareIs406) {
  DeclareExchange("x", "fanout");
  auto redeclared = DeclareExchange("x", "topic");
  EXPECT_EQ(redeclared.reason, "INEQUIVALENT_ARGUMENT");
  EXPECT_EQ(redeclared.amqp_code, "406");
  EXPECT_EQ(redeclared.status.error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(redeclared.status.error_message(),
              HasSubstr("inequivalent arg 'type' for exchange 'x' in vhost "
                        "'/'"));
}

TEST_F(TopologyServiceTest, EXD_04_PassiveDeclareChecksTheNameAlone) {
  v1::DeclareExchangeRequest request;
  request.set_name("x");
  request.set_passive(true);
  request.set_type("nonsense");
  (*request.mutable_arguments())["no kind"];
  EXPECT_EQ(Call(&Topology::DeclareExchange, request).reason,
            "EXCHANGE_NOT_FOUND");
  DeclareExchange("x", "fanout");
  auto declared = Call(&Topology::DeclareExchange, request);
  ASSERT_EQ(declared.reason, "OK");
  EXPECT_FALSE(declared->created());
  EXPECT_EQ(declared->exchange().type(), "fanout");
}

TEST_F(TopologyServiceTest, EXDEL_02_IfUnusedFailsForTheSourceOfABinding) {
  DeclareExchange("x", "fanout");
  DeclareQueue("q");
  BindQueue("x", "", "q");
  v1::DeleteExchangeRequest remove;
  remove.set_name("x");
  remove.set_if_unused(true);
  EXPECT_EQ(Call(&Topology::DeleteExchange, remove).reason, "EXCHANGE_IN_USE");
}

// ---- Queues ----

TEST_F(TopologyServiceTest, DeclareQueueFillsOptionsAndArguments) {
  v1::DeclareQueueRequest request;
  request.set_name("jobs");
  request.set_durable(true);
  request.mutable_options()->set_expires_ms(60000);
  (*request.mutable_arguments())["vendor"].set_bytes_value("\xff");
  auto declared = Call(&Topology::DeclareQueue, request);
  ASSERT_EQ(declared.reason, "OK");
  EXPECT_TRUE(declared->created());
  const v1::Queue& queue = declared->queue();
  EXPECT_EQ(queue.vhost(), "/");
  EXPECT_EQ(queue.name(), "jobs");
  EXPECT_TRUE(queue.durable());
  EXPECT_EQ(queue.options().expires_ms(), 60000u);
  EXPECT_EQ(queue.arguments().at("x-expires").int64_value(), 60000);
  EXPECT_EQ(queue.arguments().at("vendor").bytes_value(), "\xff");
  EXPECT_FALSE(Call(&Topology::DeclareQueue, request)->created());
}

TEST_F(TopologyServiceTest, AnOptionAndItsArgumentMustAgree) {
  v1::DeclareQueueRequest request;
  request.set_name("jobs");
  request.mutable_options()->set_expires_ms(60000);
  (*request.mutable_arguments())["x-expires"].set_int32_value(60000);
  EXPECT_EQ(Call(&Topology::DeclareQueue, request).reason, "OK");
  (*request.mutable_arguments())["x-expires"].set_int32_value(1);
  auto conflicting = Call(&Topology::DeclareQueue, request);
  EXPECT_EQ(conflicting.reason, "CONFLICTING_ARGUMENT");
  EXPECT_EQ(conflicting.status.error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(TopologyServiceTest, QNAME_01_AnEmptyNameIsMadeByTheServer) {
  auto first = DeclareQueue("");
  auto second = DeclareQueue("");
  EXPECT_THAT(first->queue().name(), StartsWith("amq.gen-"));
  EXPECT_NE(first->queue().name(), second->queue().name());
}

TEST_F(TopologyServiceTest, LIMIT_01_NamesOf255BytesWorkAnd256DoNot) {
  EXPECT_EQ(DeclareQueue(std::string(255, 'q')).reason, "OK");
  const std::string too_long(256, 'q');
  EXPECT_EQ(DeclareQueue(too_long).reason, "INVALID_NAME");
  EXPECT_EQ(GetQueue(too_long).reason, "INVALID_NAME");
  EXPECT_EQ(DeclareExchange(too_long, "").reason, "INVALID_NAME");
  EXPECT_EQ(BindQueue("amq.topic", too_long, "q").reason, "INVALID_NAME");
  EXPECT_EQ(BindQueue(too_long, "", "q").reason, "INVALID_NAME");
}

TEST_F(TopologyServiceTest, QDECL_01_DeclareAnswersReadyMessages) {
  DeclareQueue("jobs");
  Publish("jobs");
  Publish("jobs");
  v1::DeclareQueueRequest request;
  request.set_name("jobs");
  request.set_passive(true);
  auto declared = Call(&Topology::DeclareQueue, request);
  EXPECT_EQ(declared->queue().messages_ready(), 2u);
  EXPECT_EQ(declared->queue().consumer_count(), 0u);
  EXPECT_FALSE(declared->created());
}

TEST_F(TopologyServiceTest, QDECL_03_PassiveDeclareOfAnAbsentQueueIs404) {
  v1::DeclareQueueRequest request;
  request.set_name("jobs");
  request.set_passive(true);
  auto declared = Call(&Topology::DeclareQueue, request);
  EXPECT_EQ(declared.reason, "QUEUE_NOT_FOUND");
  EXPECT_EQ(declared.amqp_code, "404");
  EXPECT_THAT(declared.status.error_message(),
              HasSubstr("no queue 'jobs' in vhost '/'"));
}

TEST_F(TopologyServiceTest, QPURGE_01_PurgeTellsHowManyWent) {
  DeclareQueue("jobs");
  Publish("jobs");
  v1::PurgeQueueRequest request;
  request.set_name("jobs");
  EXPECT_EQ(Call(&Topology::PurgeQueue, request)->message_count(), 1u);
  EXPECT_EQ(GetQueue("jobs")->queue().messages_ready(), 0u);
  request.set_name("nowhere");
  EXPECT_EQ(Call(&Topology::PurgeQueue, request).reason, "QUEUE_NOT_FOUND");
}

TEST_F(TopologyServiceTest, QDEL_02_DeleteTellsHowManyMessagesWent) {
  DeclareQueue("jobs");
  Publish("jobs");
  v1::DeleteQueueRequest request;
  request.set_name("jobs");
  request.set_if_empty(true);
  EXPECT_EQ(Call(&Topology::DeleteQueue, request).reason, "QUEUE_NOT_EMPTY");
  request.set_if_empty(false);
  auto deleted = Call(&Topology::DeleteQueue, request);
  EXPECT_TRUE(deleted->deleted());
  EXPECT_EQ(deleted->message_count(), 1u);
  EXPECT_FALSE(Call(&Topology::DeleteQueue, request)->deleted());
}

// ---- Exclusive queues and sessions ----

TEST_F(TopologyServiceTest, AnExclusiveQueueNeedsASession) {
  auto declared = DeclareQueue("mine", "", /*exclusive=*/true);
  EXPECT_EQ(declared.reason, "SESSION_REQUIRED");
  EXPECT_EQ(declared.status.error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(declared.amqp_code, "405");
}

TEST_F(TopologyServiceTest, QLIFE_01_OnlyItsSessionMayUseAnExclusiveQueue) {
  const std::string owner = OpenSession("billing");
  auto declared = DeclareQueue("mine", owner, /*exclusive=*/true);
  ASSERT_EQ(declared.reason, "OK");
  EXPECT_TRUE(declared->queue().exclusive());
  EXPECT_EQ(declared->queue().owner_client(), "billing");
  EXPECT_EQ(DeclareQueue("mine", owner, /*exclusive=*/true).reason, "OK");
  v1::BindQueueRequest own_bind;
  own_bind.set_session_id(owner);
  own_bind.set_exchange("amq.fanout");
  own_bind.set_queue("mine");
  ASSERT_EQ(Call(&Topology::BindQueue, own_bind).reason, "OK");

  for (const std::string& stranger : {std::string(), OpenSession()}) {
    EXPECT_EQ(DeclareQueue("mine", stranger).reason, "RESOURCE_LOCKED");
    v1::PurgeQueueRequest purge;
    purge.set_session_id(stranger);
    purge.set_name("mine");
    EXPECT_EQ(Call(&Topology::PurgeQueue, purge).reason, "RESOURCE_LOCKED");
    v1::DeleteQueueRequest remove;
    remove.set_session_id(stranger);
    remove.set_name("mine");
    EXPECT_EQ(Call(&Topology::DeleteQueue, remove).reason, "RESOURCE_LOCKED");
    v1::BindQueueRequest bind;
    bind.set_session_id(stranger);
    bind.set_exchange("amq.fanout");
    bind.set_queue("mine");
    EXPECT_EQ(Call(&Topology::BindQueue, bind).reason, "RESOURCE_LOCKED");
    v1::UnbindQueueRequest unbind;
    unbind.set_session_id(stranger);
    unbind.set_exchange("amq.fanout");
    unbind.set_queue("mine");
    EXPECT_EQ(Call(&Topology::UnbindQueue, unbind).reason, "RESOURCE_LOCKED");
  }
  EXPECT_EQ(GetQueue("mine").reason, "OK") << "reading it is free";
  Publish("mine");
}

TEST_F(TopologyServiceTest, AnUnknownSessionIsSessionNotFound) {
  EXPECT_EQ(DeclareQueue("q", "nonsense").reason, "SESSION_NOT_FOUND");
}

TEST_F(TopologyServiceTest, VHOST_02_ASessionBringsItsVhost) {
  PutVhost("other");
  const std::string session = OpenSession("", "other");
  EXPECT_EQ(DeclareQueue("q", session)->queue().vhost(), "other");
  EXPECT_EQ(GetQueue("q").reason, "QUEUE_NOT_FOUND") << "in the default vhost";
  v1::DeclareQueueRequest request;
  request.set_session_id(session);
  request.set_vhost("/");
  request.set_name("q");
  EXPECT_EQ(Call(&Topology::DeclareQueue, request).reason, "VHOST_MISMATCH");
  request.set_vhost("other");
  EXPECT_EQ(Call(&Topology::DeclareQueue, request).reason, "OK");
}

TEST_F(TopologyServiceTest, VHOST_01_UnknownVhost) {
  v1::GetQueueRequest request;
  request.set_vhost("nowhere");
  request.set_name("q");
  auto got = Call(&Topology::GetQueue, request);
  EXPECT_EQ(got.reason, "VHOST_NOT_FOUND");
  EXPECT_EQ(got.status.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(TopologyServiceTest, ARequestInItsNameRenewsASession) {
  const std::string session = OpenSession();
  DeclareQueue("mine", session, /*exclusive=*/true);
  for (int i = 0; i < 3; ++i) {
    Advance(absl::Seconds(20));
    EXPECT_EQ(DeclareQueue("mine", session, true).reason, "OK");
  }
  Advance(absl::Seconds(30));
  EXPECT_EQ(DeclareQueue("mine", session, true).reason, "SESSION_NOT_FOUND");
  EXPECT_EQ(GetQueue("mine").reason, "QUEUE_NOT_FOUND");
}

// ---- Bindings ----

TEST_F(TopologyServiceTest, BIND_02_BindingTwiceMakesOneBinding) {
  DeclareQueue("q");
  auto bound = BindQueue("amq.topic", "order.*", "q");
  ASSERT_EQ(bound.reason, "OK");
  EXPECT_TRUE(bound->created());
  EXPECT_EQ(bound->binding().source(), "amq.topic");
  EXPECT_EQ(bound->binding().destination(), "q");
  EXPECT_EQ(bound->binding().destination_type(), v1::DESTINATION_TYPE_QUEUE);
  EXPECT_EQ(bound->binding().routing_key(), "order.*");
  EXPECT_EQ(bound->binding().properties_key(), "order.%2a");
  EXPECT_FALSE(BindQueue("amq.topic", "order.*", "q")->created());

  v1::UnbindQueueRequest unbind;
  unbind.set_exchange("amq.topic");
  unbind.set_queue("q");
  unbind.set_routing_key("order.*");
  EXPECT_TRUE(Call(&Topology::UnbindQueue, unbind)->deleted());
  EXPECT_FALSE(Call(&Topology::UnbindQueue, unbind)->deleted());
}

TEST_F(TopologyServiceTest, BIND_03_ArgumentsBelongToTheIdentity) {
  DeclareQueue("q");
  v1::BindQueueRequest bind;
  bind.set_exchange("amq.headers");
  bind.set_queue("q");
  (*bind.mutable_arguments())["n"].set_int32_value(1);
  EXPECT_TRUE(Call(&Topology::BindQueue, bind)->created());
  (*bind.mutable_arguments())["n"].set_int64_value(1);
  EXPECT_TRUE(Call(&Topology::BindQueue, bind)->created());

  v1::UnbindQueueRequest unbind;
  unbind.set_exchange("amq.headers");
  unbind.set_queue("q");
  EXPECT_FALSE(Call(&Topology::UnbindQueue, unbind)->deleted());
  (*unbind.mutable_arguments())["n"].set_int64_value(1);
  EXPECT_TRUE(Call(&Topology::UnbindQueue, unbind)->deleted());
}

TEST_F(TopologyServiceTest, E2E_01_ExchangesBindToExchanges) {
  DeclareExchange("in", "fanout");
  DeclareExchange("out", "fanout");
  v1::BindExchangeRequest bind;
  bind.set_source("in");
  bind.set_destination("out");
  auto bound = Call(&Topology::BindExchange, bind);
  ASSERT_EQ(bound.reason, "OK");
  EXPECT_TRUE(bound->created());
  EXPECT_EQ(bound->binding().destination_type(), v1::DESTINATION_TYPE_EXCHANGE);
  v1::UnbindExchangeRequest unbind;
  unbind.set_source("in");
  unbind.set_destination("out");
  EXPECT_TRUE(Call(&Topology::UnbindExchange, unbind)->deleted());
}

TEST_F(TopologyServiceTest, EXB_03_TheDefaultExchangeCannotBeBound) {
  DeclareQueue("q");
  auto bound = BindQueue("", "key", "q");
  EXPECT_EQ(bound.reason, "DEFAULT_EXCHANGE");
  EXPECT_EQ(bound.status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(bound.amqp_code, "403");
}

TEST_F(TopologyServiceTest, BadArgumentsAreRefused) {
  DeclareQueue("q");
  v1::BindQueueRequest bind;
  bind.set_exchange("amq.headers");
  bind.set_queue("q");
  (*bind.mutable_arguments())["n"];
  EXPECT_EQ(Call(&Topology::BindQueue, bind).reason, "INVALID_VALUE");
  (*bind.mutable_arguments())["n"].set_int8_value(1000);
  EXPECT_EQ(Call(&Topology::BindQueue, bind).reason, "INVALID_VALUE");
}

// ---- Lists ----

TEST_F(TopologyServiceTest, ListQueuesPagesByNameOverChanges) {
  for (int i = 0; i < 5; ++i) DeclareQueue(absl::StrCat("q", i));
  DeclareQueue("other");
  v1::ListQueuesRequest request;
  request.set_name_prefix("q");
  request.set_page_size(2);
  std::vector<std::string> names;
  while (true) {
    auto page = Call(&Topology::ListQueues, request);
    ASSERT_EQ(page.reason, "OK");
    for (const v1::Queue& queue : page->queues()) names.push_back(queue.name());
    if (page->next_page_token().empty()) break;
    request.set_page_token(page->next_page_token());
    // The token is no position: what comes and goes before it moves nothing.
    v1::DeleteQueueRequest remove;
    remove.set_name(names.back());
    Call(&Topology::DeleteQueue, remove);
    DeclareQueue(absl::StrCat("q", 0, names.size()));
  }
  EXPECT_THAT(names, ElementsAre("q0", "q1", "q2", "q3", "q4"));
}

TEST_F(TopologyServiceTest, APageTokenGoesOnlyWithItsFilters) {
  for (int i = 0; i < 3; ++i) DeclareQueue(absl::StrCat("q", i));
  v1::ListQueuesRequest request;
  request.set_page_size(1);
  const std::string token =
      Call(&Topology::ListQueues, request)->next_page_token();
  ASSERT_NE(token, "");
  request.set_page_token(token);
  request.set_page_size(7);  // no filter
  EXPECT_EQ(Call(&Topology::ListQueues, request).reason, "OK");
  request.set_name_prefix("q");
  auto refused = Call(&Topology::ListQueues, request);
  EXPECT_EQ(refused.reason, "BAD_PAGE_TOKEN");
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::ListExchangesRequest exchanges;
  exchanges.set_page_token(token);
  EXPECT_EQ(Call(&Topology::ListExchanges, exchanges).reason, "BAD_PAGE_TOKEN");
}

TEST_F(TopologyServiceTest, ANegativePageSizeIsRefused) {
  v1::ListQueuesRequest request;
  request.set_page_size(-1);
  EXPECT_EQ(Call(&Topology::ListQueues, request).reason, "INVALID_VALUE");
}

TEST_F(TopologyServiceTest, EXB_01_ListExchangesHasThePredeclaredOnes) {
  auto page = Call(&Topology::ListExchanges, v1::ListExchangesRequest());
  std::vector<std::string> names;
  for (const v1::Exchange& x : page->exchanges()) names.push_back(x.name());
  EXPECT_THAT(names,
              ElementsAre("", "amq.direct", "amq.fanout", "amq.headers",
                          "amq.match", "amq.rabbitmq.trace", "amq.topic"));
}

TEST_F(TopologyServiceTest, ListExchangesPagesPastTheEmptyName) {
  v1::ListExchangesRequest request;
  request.set_page_size(1);
  auto first = Call(&Topology::ListExchanges, request);
  ASSERT_EQ(first->exchanges_size(), 1);
  EXPECT_EQ(first->exchanges(0).name(), "");
  request.set_page_token(first->next_page_token());
  auto second = Call(&Topology::ListExchanges, request);
  ASSERT_EQ(second->exchanges_size(), 1);
  EXPECT_EQ(second->exchanges(0).name(), "amq.direct");
}

TEST_F(TopologyServiceTest, ListBindingsFilters) {
  DeclareQueue("a");
  DeclareQueue("b");
  DeclareExchange("x", "fanout");
  BindQueue("amq.topic", "1", "a");
  BindQueue("amq.topic", "2", "b");
  BindQueue("x", "", "a");
  v1::BindExchangeRequest bind;
  bind.set_source("amq.topic");
  bind.set_destination("x");
  Call(&Topology::BindExchange, bind);

  v1::ListBindingsRequest request;
  request.set_source("amq.topic");
  EXPECT_EQ(Call(&Topology::ListBindings, request)->bindings_size(), 3);
  request.set_destination_type(v1::DESTINATION_TYPE_QUEUE);
  EXPECT_EQ(Call(&Topology::ListBindings, request)->bindings_size(), 2);
  request.set_destination("a");
  auto one = Call(&Topology::ListBindings, request);
  ASSERT_EQ(one->bindings_size(), 1);
  EXPECT_EQ(one->bindings(0).routing_key(), "1");
  EXPECT_EQ(one->bindings(0).vhost(), "/");
  request.set_destination_type(static_cast<v1::DestinationType>(77));
  EXPECT_EQ(Call(&Topology::ListBindings, request).reason, "INVALID_VALUE");
}

TEST_F(TopologyServiceTest, ListBindingsPagesThroughAll) {
  DeclareQueue("q");
  for (int i = 0; i < 7; ++i) BindQueue("amq.topic", absl::StrCat(i), "q");
  v1::ListBindingsRequest request;
  request.set_source("amq.topic");
  request.set_page_size(3);
  std::vector<std::string> keys;
  while (true) {
    auto page = Call(&Topology::ListBindings, request);
    ASSERT_EQ(page.reason, "OK");
    for (const auto& b : page->bindings()) keys.push_back(b.routing_key());
    if (page->next_page_token().empty()) break;
    request.set_page_token(page->next_page_token());
  }
  EXPECT_THAT(keys, ElementsAre("0", "1", "2", "3", "4", "5", "6"));
}

TEST_F(TopologyServiceTest, ListConsumersShowsThem) {
  DeclareQueue("jobs");
  v1::SubscribeRequest subscribe;
  v1::ConsumerSpec& start = *subscribe.mutable_start();
  start.set_queue("jobs");
  start.set_consumer_tag("worker");
  start.set_prefetch_count(7);
  start.set_priority(3);
  Messaging stub(channel_);
  const auto context = NewContext();
  auto stream = stub.Subscribe(context.get(), subscribe);
  v1::SubscribeResponse started;
  ASSERT_TRUE(stream->Read(&started));

  auto page = Call(&Topology::ListConsumers, v1::ListConsumersRequest());
  ASSERT_EQ(page->consumers_size(), 1);
  const v1::ConsumerInfo& consumer = page->consumers(0);
  EXPECT_EQ(consumer.queue(), "jobs");
  EXPECT_EQ(consumer.consumer_tag(), "worker");
  EXPECT_EQ(consumer.prefetch_count(), 7u);
  EXPECT_EQ(consumer.priority(), 3);
  EXPECT_TRUE(consumer.active());
  EXPECT_THAT(consumer.peer(), HasSubstr("127.0.0.1"));
  v1::ListConsumersRequest other;
  other.set_queue("other");
  EXPECT_EQ(Call(&Topology::ListConsumers, other)->consumers_size(), 0);
  context->TryCancel();
  stream->Finish();
}

// ---- Requests that are none ----

TEST_F(TopologyServiceTest, AStringThatIsNotUtf8IsMalformed) {
  const UnaryResult result =
      CallUnary(channel_, "/kelpmq.v1.TopologyService/GetQueue",
                "\x12\x01\xff");  // name
  EXPECT_EQ(result.reason, "MALFORMED_REQUEST");
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace kelpmq::service::testing
