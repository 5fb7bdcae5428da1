#include "service/rpc/delivery_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/rpc/stream_errors.h"
#include "tests/unit/rpc/stream_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using DeliveryStreamTest = StreamTest;

// ---- Starting and delivering ----

TEST_F(DeliveryStreamTest, CONS_01_StartedComesBeforeTheFirstDelivery) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto client = Open();
  client->Send(StartOf("q", 5));
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(2));
  const v1::ConsumerStarted& started = responses[0].started();
  EXPECT_EQ(started.consumer_id(), 5u);
  EXPECT_EQ(started.queue(), "q");
  EXPECT_EQ(started.consumer_tag().substr(0, 9), "amq.ctag-");
  EXPECT_EQ(started.prefetch_count(), 100u);
  EXPECT_EQ(started.max_response_bytes(), 4u * 1024 * 1024);
  EXPECT_EQ(started.heartbeat_interval().seconds(), 30);
  EXPECT_THAT(BodiesOf(responses), ElementsAre("1", "2"));
  const v1::Delivery& first = responses[1].deliveries().deliveries(0);
  EXPECT_EQ(first.delivery_tag(), 1u);
  EXPECT_EQ(first.consumer_id(), 5u);
  EXPECT_EQ(first.routing_key(), "q");
  EXPECT_FALSE(first.redelivered());
}

TEST_F(DeliveryStreamTest, WhatGathersDuringAWriteGoesOutAsOne) {
  auto client = Consuming("q");
  Publish("", "q", {"1"}).IgnoreError();
  for (const char* body : {"2", "3", "4"}) {
    Publish("", "q", {body}).IgnoreError();
  }
  EXPECT_THAT(BodiesOf({client->Peek().value()}), ElementsAre("1"));
  EXPECT_EQ(client->Peek(), std::nullopt);
  client->LetWriteThrough();
  EXPECT_THAT(BodiesOf({client->Peek().value()}), ElementsAre("2", "3", "4"));
  client->LetWriteThrough();
  EXPECT_FALSE(client->call().writing());
}

TEST_F(DeliveryStreamTest, ABatchIsCutToWhatTheClientAsksFor) {
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_options()->set_max_batch_messages(2);
  Publish("", "q", {"1", "2", "3", "4", "5"}).IgnoreError();
  auto client = Open();
  client->Send(request);
  const auto responses = client->Receive();
  for (const auto& response : responses) {
    EXPECT_LE(response.deliveries().deliveries_size(), 2);
  }
  EXPECT_THAT(BodiesOf(responses), ElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(DeliveryStreamTest, NoResponseIsLargerThanTheClientTakes) {
  constexpr uint32_t kLimit = 64 * 1024;
  // Two of them come as close to the limit as they can.
  const std::string body(kLimit / 2 - 40, 'x');
  v1::ConsumeRequest request = StartOf("q", 0xffffffff);
  request.mutable_options()->set_max_response_bytes(kLimit);
  Publish("", "q", std::vector<std::string>(8, body)).IgnoreError();
  auto client = Open();
  client->Send(request);
  size_t count = 0;
  for (const auto& response : client->Receive()) {
    EXPECT_LE(response.ByteSizeLong(), kLimit);
    count += response.deliveries().deliveries_size();
  }
  EXPECT_EQ(count, 8u);
}

TEST_F(DeliveryStreamTest, AMessageThatCannotFitCancelsTheConsumer) {
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_options()->set_max_response_bytes(64 * 1024);
  auto client = Open();
  client->Send(request);
  client->Receive();
  Publish("", "q", {std::string(70 * 1024, 'x')}).IgnoreError();
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(1));
  EXPECT_EQ(responses[0].cancelled().reason(),
            v1::CANCEL_REASON_RESPONSE_TOO_SMALL);
  const uint64_t required_bytes = responses[0].cancelled().required_bytes();
  EXPECT_GT(required_bytes, 70u * 1024);
  const auto& metadata = responses[0].cancelled().error().metadata();
  EXPECT_EQ(metadata.at("required_bytes"), absl::StrCat(required_bytes));
  EXPECT_EQ(metadata.at("queue"), "q");
  EXPECT_EQ(FindQueue("q")->messages_ready, 1u);
  // So much, and no less, it takes.
  for (const uint64_t limit : {required_bytes - 1, required_bytes}) {
    request.mutable_options()->set_max_response_bytes(limit);
    auto another = Open();
    another->Send(request);
    EXPECT_THAT(Bodies(*another), SizeIs(limit == required_bytes ? 1 : 0));
  }
}

TEST_F(DeliveryStreamTest, AGetThatCannotFitSaysWhatItTakes) {
  Publish("", "q", {std::string(70 * 1024, 'x')}).IgnoreError();
  v1::ConsumeRequest request = GetOf("q", 1);
  request.mutable_options()->set_max_response_bytes(64 * 1024);
  auto client = Open();
  client->Send(request);
  const v1::OperationError error = client->Receive()[0].got().error();
  EXPECT_EQ(error.reason(), "RESPONSE_TOO_SMALL");
  uint32_t required_bytes = 0;
  ASSERT_TRUE(
      absl::SimpleAtoi(error.metadata().at("required_bytes"), &required_bytes));
  request.mutable_options()->set_max_response_bytes(required_bytes);
  auto another = Open();
  another->Send(request);
  EXPECT_EQ(another->Receive()[0].got().deliveries_size(), 1);
}

TEST_F(DeliveryStreamTest, ASlowReaderHoldsOneBatchAndTheOneBeingWritten) {
  auto client = Open();
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_start()->set_prefetch_count(0);
  client->Send(request);
  client->Receive();
  Publish("", "q", std::vector<std::string>(1000, "x")).IgnoreError();
  EXPECT_EQ(FindQueue("q")->messages_unacked, 512u);
  size_t got = client->Peek()->deliveries().deliveries_size();
  client->LetWriteThrough();
  EXPECT_EQ(FindQueue("q")->messages_unacked, got + 512);
  for (const auto& response : client->Receive()) {
    got += response.deliveries().deliveries_size();
  }
  EXPECT_EQ(got, 1000u);
}

// ---- Prefetch ----

TEST_F(DeliveryStreamTest, QOS_01_PrefetchLimitsEachConsumer) {
  Publish("", "q", {"1", "2", "3"}).IgnoreError();
  auto client = Consuming("q", /*prefetch_count=*/2);
  EXPECT_THAT(Bodies(*client), ElementsAre("1", "2"));
  client->Send(AckOf({1}));
  EXPECT_THAT(Bodies(*client), ElementsAre("3"));
}

TEST_F(DeliveryStreamTest, QOS_04_TheStreamsPrefetchIsSharedOverQueues) {
  ASSERT_TRUE(Declare("other").ok());
  Publish("", "q", {"1", "2"}).IgnoreError();
  Publish("", "other", {"3"}).IgnoreError();
  auto client = OpenWithStreamPrefetch(2);
  client->Send(StartOf("q", 1));
  client->Send(StartOf("other", 2));
  EXPECT_THAT(Bodies(*client), ElementsAre("1", "2"));
  client->Send(AckOf({1}));
  EXPECT_THAT(Bodies(*client), ElementsAre("3"));
}

TEST_F(DeliveryStreamTest,
       QOS_04_ItsConsumersTakeTurnsUnderTheStreamsPrefetch) {
  auto client = OpenWithStreamPrefetch(1);
  std::vector<uint32_t> turns;
  for (const uint32_t consumer : {1, 2, 3}) {
    client->Send(StartOf("q", consumer));
  }
  Publish("", "q", {"1", "2", "3", "4"}).IgnoreError();
  for (uint64_t tag = 1; tag <= 4; ++tag) {
    for (const auto& response : client->Receive()) {
      for (const auto& delivery : response.deliveries().deliveries()) {
        turns.push_back(delivery.consumer_id());
      }
    }
    client->Send(AckOf({tag}));
  }
  EXPECT_THAT(turns, ElementsAre(1, 2, 3, 1));
}

TEST_F(DeliveryStreamTest, QOS_05_TheStreamsPrefetchChangesAtOnce) {
  Publish("", "q", {"1", "2", "3"}).IgnoreError();
  auto client = OpenWithStreamPrefetch(1);
  client->Send(StartOf("q"));
  EXPECT_THAT(Bodies(*client), ElementsAre("1"));
  client->Send(StreamPrefetch(2));
  EXPECT_THAT(Bodies(*client), ElementsAre("2"));
  client->Send(StreamPrefetch(1));
  client->Send(AckOf({1}));
  EXPECT_THAT(Bodies(*client), IsEmpty());
  client->Send(AckOf({2}));
  EXPECT_THAT(Bodies(*client), ElementsAre("3"));
}

TEST_F(DeliveryStreamTest, NACK_05_ARequeueUnderAStreamPrefetchComesBackFirst) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto client = OpenWithStreamPrefetch(1);
  client->Send(StartOf("q"));
  EXPECT_THAT(Bodies(*client), ElementsAre("1"));
  client->Send(SettleOf(v1::SETTLE_ACTION_REQUEUE, {1}));
  const auto responses = client->Receive();
  EXPECT_THAT(BodiesOf(responses), ElementsAre("1"));
  EXPECT_TRUE(responses[0].deliveries().deliveries(0).redelivered());
}

TEST_F(DeliveryStreamTest, QOS_01_AFlowChangesOneConsumersPrefetch) {
  Publish("", "q", {"1", "2", "3"}).IgnoreError();
  auto client = Consuming("q", /*prefetch_count=*/1);
  EXPECT_THAT(Bodies(*client), ElementsAre("1"));
  v1::ConsumeRequest request;
  request.mutable_flow()->set_prefetch_count(3);
  client->Send(request);
  EXPECT_THAT(Bodies(*client), ElementsAre("2", "3"));
}

TEST_F(DeliveryStreamTest, PausingHoldsTheWholeStream) {
  auto client = Consuming("q");
  client->Send(Paused(true));
  Publish("", "q", {"1"}).IgnoreError();
  EXPECT_THAT(Bodies(*client), IsEmpty());
  client->Send(Paused(false));
  EXPECT_THAT(Bodies(*client), ElementsAre("1"));
}

TEST_F(DeliveryStreamTest, DeliveriesWaitAtTheServersCap) {
  context_.limits.max_unacked_per_stream = 2;
  Publish("", "q", {"1", "2", "3"}).IgnoreError();
  auto client = Consuming("q", /*prefetch_count=*/0);
  EXPECT_THAT(Bodies(*client), ElementsAre("1", "2"));
  client->Send(AckOf({2}));
  EXPECT_THAT(Bodies(*client), ElementsAre("3"));
}

TEST_F(DeliveryStreamTest, QOS_03_AutoAckIsNotLimitedAndAckedWhenWritten) {
  auto client = Open();
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_start()->set_auto_ack(true);
  request.mutable_start()->set_prefetch_count(1);
  client->Send(request);
  client->Receive();
  Publish("", "q", {"1"}).IgnoreError();
  Publish("", "q", {"2", "3"}).IgnoreError();
  // The first is being written, the others wait.
  EXPECT_EQ(FindQueue("q")->messages_unacked, 2u);
  EXPECT_THAT(Bodies(*client), ElementsAre("1", "2", "3"));
  EXPECT_EQ(FindQueue("q")->messages_unacked, 0u);
  // GET-04's rule holds here too: their tags are used up, and settled.
  client->Send(AckOf({1}, /*request_id=*/7));
  const v1::Settled settled = client->Receive()[0].settled();
  EXPECT_EQ(settled.already_settled_count(), 1u);
  EXPECT_THAT(settled.failures(), IsEmpty());
}

TEST_F(DeliveryStreamTest, CreditIsWhatAManualConsumerGets) {
  Publish("", "q", {"1", "2", "3"}).IgnoreError();
  auto client = Open();
  v1::ConsumeRequest request = StartOf("q", 4);
  request.mutable_start()->set_manual_credit(true);
  client->Send(request);
  EXPECT_THAT(Bodies(*client), IsEmpty());
  request.Clear();
  request.mutable_credit()->set_consumer_id(4);
  request.mutable_credit()->set_messages(2);
  client->Send(request);
  EXPECT_THAT(Bodies(*client), ElementsAre("1", "2"));
  request.mutable_credit()->set_messages(5);
  request.mutable_credit()->set_drain(true);
  client->Send(request);
  const auto responses = client->Receive();
  EXPECT_THAT(BodiesOf(responses), ElementsAre("3"));
  ASSERT_TRUE(responses.back().has_credit_drained());
  EXPECT_EQ(responses.back().credit_drained().consumer_id(), 4u);
  EXPECT_EQ(responses.back().credit_drained().unused_credit(), 4u);
}

// ---- Failing and ending consumers ----

TEST_F(DeliveryStreamTest, CONS_02_AFailingFirstStartEndsTheStream) {
  auto client = Open();
  client->Send(StartOf("absent"));
  EXPECT_THAT(client->Receive(), IsEmpty());
  EXPECT_EQ(ReasonOf(client->status()), "QUEUE_NOT_FOUND");
}

TEST_F(DeliveryStreamTest, CONS_02_AFailingLaterStartIsAnEvent) {
  auto client = Consuming("q");
  client->Send(StartOf("absent", 2));
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(1));
  EXPECT_EQ(responses[0].cancelled().reason(), v1::CANCEL_REASON_START_FAILED);
  EXPECT_EQ(responses[0].cancelled().consumer_id(), 2u);
  EXPECT_EQ(responses[0].cancelled().error().reason(), "QUEUE_NOT_FOUND");
  EXPECT_FALSE(client->finished());
}

TEST_F(DeliveryStreamTest, CONS_03_ATagOrIdInUseIsRefused) {
  auto client = Open();
  v1::ConsumeRequest request = StartOf("q", 1);
  request.mutable_start()->set_consumer_tag("tag");
  client->Send(request);
  client->Receive();
  request.mutable_start()->set_consumer_id(2);
  client->Send(request);
  EXPECT_EQ(client->Receive()[0].cancelled().error().reason(),
            "CONSUMER_TAG_IN_USE");
  client->Send(StartOf("q", 1));
  EXPECT_EQ(client->Receive()[0].cancelled().error().reason(),
            "CONSUMER_ID_IN_USE");
}

TEST_F(DeliveryStreamTest, CONS_03_ATagIsFreeAgainAfterACancel) {
  auto client = Open();
  v1::ConsumeRequest request = StartOf("q", 1);
  request.mutable_start()->set_consumer_tag("tag");
  client->Send(request);
  client->Send(CancelOf(1));
  client->Send(request);
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(3));
  EXPECT_EQ(responses[1].cancelled().reason(),
            v1::CANCEL_REASON_CLIENT_REQUEST);
  EXPECT_FALSE(responses[1].cancelled().has_error());
  EXPECT_TRUE(responses[2].has_started());
}

TEST_F(DeliveryStreamTest, CONS_03_AStartWaitsForACancelThatWasSentFirst) {
  ASSERT_TRUE(Declare("other").ok());
  auto client = Open();
  v1::ConsumeRequest request = StartOf("q", 1);
  request.mutable_start()->set_consumer_tag("tag");
  client->Send(request);
  client->Receive();
  stream_engine_.HoldCancels();
  client->Send(CancelOf(1));
  // Even where another queue could answer sooner.
  request.mutable_start()->set_queue("other");
  client->Send(request);
  EXPECT_THAT(client->Receive(), IsEmpty());
  EXPECT_FALSE(client->call().reading()) << "later requests would overtake";
  stream_engine_.LetCancelsGo();
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(2));
  EXPECT_EQ(responses[0].cancelled().reason(),
            v1::CANCEL_REASON_CLIENT_REQUEST);
  EXPECT_EQ(responses[1].started().queue(), "other");
  client->Send(PingOf(7));
  EXPECT_EQ(client->Receive()[0].heartbeat().request_id(), 7u);
}

TEST_F(DeliveryStreamTest, LIMIT_03_AConsumerOnItsWayOutMakesRoom) {
  context_.limits.max_consumers_per_stream = 1;
  auto client = Consuming("q");
  stream_engine_.HoldCancels();
  client->Send(CancelOf(0));
  client->Send(StartOf("q", 2));
  EXPECT_THAT(client->Receive(), IsEmpty());
  stream_engine_.LetCancelsGo();
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(2));
  EXPECT_EQ(responses[1].started().consumer_id(), 2u);
}

TEST_F(DeliveryStreamTest, AStartThatWaitsWhenTheClientGoesNeverBegins) {
  auto client = Consuming("q");
  stream_engine_.HoldCancels();
  client->Send(CancelOf(0));
  client->Send(StartOf("q", 0));
  client->Leave();
  stream_engine_.LetCancelsGo();
  EXPECT_EQ(FindQueue("q")->consumer_count, 0u);
  EXPECT_EQ(leases_.live_count(), 0u);
}

TEST_F(DeliveryStreamTest, LIMIT_03_ConsumersPerStreamAreLimited) {
  context_.limits.max_consumers_per_stream = 1;
  auto client = Consuming("q");
  client->Send(StartOf("q", 2));
  const v1::OperationError error = client->Receive()[0].cancelled().error();
  EXPECT_EQ(error.reason(), "LIMIT_EXCEEDED");
  EXPECT_EQ(error.amqp_code(), 506u);
  EXPECT_EQ(error.message(),
            "RESOURCE_ERROR - reached maximum (1) of consumers per channel");
}

TEST_F(DeliveryStreamTest, ATemporaryBindingWithAnOverlongKeyIsRefused) {
  auto client = Open();
  v1::ConsumeRequest request;
  v1::TemporaryBinding* binding =
      request.mutable_start()->mutable_temporary_queue()->add_bindings();
  binding->set_exchange("amq.topic");
  binding->set_routing_key(std::string(256, 'k'));
  client->Send(request);
  EXPECT_EQ(ReasonOf(client->status()), "INVALID_NAME");
}

TEST_F(DeliveryStreamTest, ATemporaryQueueGoesWithItsConsumer) {
  auto client = Open();
  v1::ConsumeRequest request;
  v1::TemporaryBinding* binding =
      request.mutable_start()->mutable_temporary_queue()->add_bindings();
  binding->set_exchange("amq.topic");
  binding->set_routing_key("a.#");
  client->Send(request);
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(1));
  const std::string queue = responses[0].started().queue();
  Publish("amq.topic", "a.b", {"1"}).IgnoreError();
  EXPECT_THAT(Bodies(*client), ElementsAre("1"));
  EXPECT_TRUE(HasQueue(queue));
  client->Send(CancelOf(0));
  EXPECT_FALSE(HasQueue(queue));
}

TEST_F(DeliveryStreamTest, CONS_07_ACancelLeavesDeliveriesToBeSettled) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto client = Consuming("q", /*prefetch_count=*/1);
  EXPECT_THAT(Bodies(*client), ElementsAre("1"));
  client->Send(CancelOf(0));
  client->Receive();
  EXPECT_EQ(FindQueue("q")->consumer_count, 0u);
  client->Send(AckOf({1}, /*request_id=*/1));
  EXPECT_EQ(client->Receive()[0].settled().settled_count(), 1u);
  EXPECT_EQ(FindQueue("q")->messages_ready, 1u);
  EXPECT_EQ(FindQueue("q")->messages_unacked, 0u);
}

TEST_F(DeliveryStreamTest, RequestsForAConsumerThatIsNotThereAreIgnored) {
  auto client = Consuming("q");
  client->Send(CancelOf(9));
  v1::ConsumeRequest request;
  request.mutable_credit()->set_consumer_id(9);
  client->Send(request);
  request.mutable_flow()->set_consumer_id(9);
  client->Send(request);
  EXPECT_THAT(client->Receive(), IsEmpty());
  client->Send(PingOf(3));
  EXPECT_EQ(client->Receive()[0].heartbeat().request_id(), 3u);
}

TEST_F(DeliveryStreamTest, CANCEL_01_ADeletedQueueLosesThenCancels) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto client = Consuming("q");
  client->Receive();
  ASSERT_TRUE(DeleteQueue("q").ok());
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(2));
  EXPECT_EQ(responses[0].lost().reason(), v1::LOST_REASON_QUEUE_DELETED);
  ASSERT_EQ(responses[0].lost().tags_size(), 1);
  EXPECT_EQ(responses[0].lost().tags(0).first(), 1u);
  EXPECT_EQ(responses[0].lost().tags(0).last(), 2u);
  EXPECT_EQ(responses[1].cancelled().reason(), v1::CANCEL_REASON_QUEUE_DELETED);
  EXPECT_FALSE(client->finished());
  // ACK-03: no effect, and said so.
  client->Send(AckOf({1}));
  const v1::Settled settled = client->Receive()[0].settled();
  EXPECT_EQ(settled.failures(0).reason(), v1::SETTLE_FAILURE_REASON_LOST);
}

// ---- Settling ----

TEST_F(DeliveryStreamTest, ASettleIsAnsweredOnRequestAndAlwaysForFailures) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto client = Consuming("q");
  client->Receive();
  client->Send(AckOf({1}));
  EXPECT_THAT(client->Receive(), IsEmpty());
  client->Send(AckOf({1, 2}, /*request_id=*/5));
  v1::Settled settled = client->Receive()[0].settled();
  EXPECT_EQ(settled.request_id(), 5u);
  EXPECT_EQ(settled.settled_count(), 1u);
  EXPECT_EQ(settled.already_settled_count(), 1u);
  client->Send(AckOf({3}));
  settled = client->Receive()[0].settled();
  EXPECT_EQ(settled.failures(0).reason(),
            v1::SETTLE_FAILURE_REASON_UNKNOWN_TAG);
}

TEST_F(DeliveryStreamTest, ASettleWithoutActionOrTagsIsInvalid) {
  auto client = Consuming("q");
  client->Send(SettleOf(v1::SETTLE_ACTION_UNSPECIFIED, {1}));
  client->Send(AckOf({}));
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(2));
  for (const auto& response : responses) {
    EXPECT_EQ(response.settled().failures(0).reason(),
              v1::SETTLE_FAILURE_REASON_INVALID);
  }
}

TEST_F(DeliveryStreamTest, ALeaseIsSettledFromElsewhereToo) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto client = Open();
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_start()->set_prefetch_count(1);
  client->Send(request);
  const auto responses = client->Receive();
  auto found = leases_.Find(responses[0].started().lease_id());
  ASSERT_TRUE(found.ok());
  TagSelection selection;
  selection.tags = {1};
  found->lease->Settle(SettleAction::kAck, selection, [](SettleOutcome) {});
  EXPECT_THAT(Bodies(*client), ElementsAre("2"));
}

TEST_F(DeliveryStreamTest, APingIsAnsweredAfterWhatWasSentBeforeIt) {
  Publish("", "q", {"1"}).IgnoreError();
  auto client = Consuming("q");
  client->Receive();
  stream_engine_.HoldSettles();
  client->Send(AckOf({1}, /*request_id=*/1));
  client->Send(PingOf(2));
  EXPECT_THAT(client->Receive(), IsEmpty());
  stream_engine_.LetSettlesGo();
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(2));
  EXPECT_TRUE(responses[0].has_settled());
  EXPECT_EQ(responses[1].heartbeat().request_id(), 2u);
}

// ---- Holding the client back ----

TEST_F(DeliveryStreamTest, ReadingStopsOverTooManyUnwrittenReplies) {
  auto client = Consuming("q");
  int sent = 0;
  while (client->call().reading()) {
    client->Send(PingOf(++sent));
    ASSERT_LT(sent, 5000);
  }
  EXPECT_GT(sent, 1000);
  client->LetWriteThrough();
  client->LetWriteThrough();
  EXPECT_TRUE(client->call().reading());
  EXPECT_THAT(client->Receive(), SizeIs(sent));
}

TEST_F(DeliveryStreamTest, ReadingGoesOnOnceSilentOperationsAreThrough) {
  Publish("", "q", std::vector<std::string>(1200, "x")).IgnoreError();
  auto client = Consuming("q", /*prefetch_count=*/0);
  client->Receive();
  stream_engine_.HoldSettles();
  uint64_t tag = 0;
  while (client->call().reading()) {
    client->Send(AckOf({++tag}));
    ASSERT_LE(tag, 1200u);
  }
  EXPECT_GT(tag, 1000u);
  // These settles ask for no reply, so nothing is written.
  stream_engine_.LetSettlesGo();
  EXPECT_TRUE(client->call().reading());
}

// ---- Gets ----

TEST_F(DeliveryStreamTest, GET_03_AGetSaysWhatIsLeft) {
  Publish("", "q", {"1", "2", "3"}).IgnoreError();
  auto client = Open();
  client->Send(GetOf("q", /*request_id=*/9, /*max_messages=*/2));
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(1));
  const v1::StreamGot& got = responses[0].got();
  EXPECT_EQ(got.request_id(), 9u);
  ASSERT_EQ(got.deliveries_size(), 2);
  EXPECT_EQ(got.deliveries(1).message().body(), "2");
  EXPECT_EQ(got.deliveries(1).delivery_tag(), 2u);
  EXPECT_EQ(got.message_count(), 1u);
  EXPECT_EQ(FindQueue("q")->messages_unacked, 2u);
}

TEST_F(DeliveryStreamTest, GET_01_AGetFromAnEmptyQueueIsOk) {
  auto client = Open();
  client->Send(GetOf("q", 1));
  const v1::StreamGot got = client->Receive()[0].got();
  EXPECT_EQ(got.request_id(), 1u);
  EXPECT_EQ(got.deliveries_size(), 0);
  EXPECT_FALSE(got.has_error());
}

TEST_F(DeliveryStreamTest, GET_02_AGetFromAnAbsentQueueFailsAlone) {
  auto client = Open();
  client->Send(GetOf("absent", 1));
  client->Send(GetOf(std::string(256, 'q'), 2));
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(2));
  EXPECT_EQ(responses[0].got().error().reason(), "QUEUE_NOT_FOUND");
  EXPECT_EQ(responses[1].got().error().reason(), "INVALID_NAME");
  EXPECT_FALSE(client->finished());
}

TEST_F(DeliveryStreamTest, GET_04_AnAutoAckGetUsesUpATag) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto client = Open();
  v1::ConsumeRequest request = GetOf("q", 1);
  request.mutable_get()->set_auto_ack(true);
  client->Send(request);
  EXPECT_EQ(client->Receive()[0].got().deliveries(0).delivery_tag(), 1u);
  EXPECT_EQ(FindQueue("q")->messages_unacked, 0u);
  client->Send(GetOf("q", 2));
  EXPECT_EQ(client->Receive()[0].got().deliveries(0).delivery_tag(), 2u);
}

TEST_F(DeliveryStreamTest, AGetAtTheServersCapFails) {
  context_.limits.max_unacked_per_stream = 1;
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto client = Open();
  client->Send(GetOf("q", 1, /*max_messages=*/2));
  EXPECT_EQ(client->Receive()[0].got().deliveries_size(), 1);
  client->Send(GetOf("q", 2));
  EXPECT_EQ(client->Receive()[0].got().error().reason(), "LIMIT_EXCEEDED");
  client->Send(AckOf({1}));
  client->Send(GetOf("q", 3));
  EXPECT_EQ(client->Receive()[0].got().deliveries_size(), 1);
}

TEST_F(DeliveryStreamTest, AConsumerThatAGetKeptOutGoesOn) {
  context_.limits.max_unacked_per_stream = 2;
  ASSERT_TRUE(Declare("other").ok());
  auto client = Consuming("q");
  // The get has reserved all there is, and finds nothing.
  stream_engine_.set_before_get(
      [this] { Publish("", "q", {"1"}).IgnoreError(); });
  client->Send(GetOf("other", 1, /*max_messages=*/2));
  EXPECT_THAT(Bodies(*client), ElementsAre("1"));
}

// ---- Heartbeats ----

TEST_F(DeliveryStreamTest, AHeartbeatComesWhenNothingElseDid) {
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_options()->mutable_heartbeat_interval()->set_seconds(10);
  auto client = Open();
  client->Send(request);
  client->Receive();
  Pass(absl::Seconds(6));
  Publish("", "q", {"1"}).IgnoreError();
  EXPECT_THAT(client->Receive(), SizeIs(1));
  Pass(absl::Seconds(9));
  EXPECT_THAT(client->Receive(), IsEmpty());
  Pass(absl::Seconds(1));
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(1));
  EXPECT_TRUE(responses[0].has_heartbeat());
  Pass(absl::Seconds(10));
  EXPECT_THAT(client->Receive(), SizeIs(1));
}

TEST_F(DeliveryStreamTest, HeartbeatsDoNotPileUpBehindAWrite) {
  auto client = Consuming("q");
  Publish("", "q", {"1"}).IgnoreError();
  Pass(absl::Minutes(5));
  EXPECT_THAT(client->Receive(), SizeIs(1));
}

// ---- Options ----

TEST_F(DeliveryStreamTest, OptionsAloneOpenAStream) {
  auto client = Open();
  v1::ConsumeRequest request;
  request.mutable_options()->set_vhost("/");
  client->Send(request);
  EXPECT_FALSE(client->finished());
  request.Clear();
  request.mutable_options();
  client->Send(request);
  EXPECT_EQ(ReasonOf(client->status()), "FIRST_MESSAGE");
}

TEST_F(DeliveryStreamTest, BadOptionsEndTheStream) {
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_options()->set_vhost("absent");
  EXPECT_EQ(ReasonOf(EndOf(request)), "VHOST_NOT_FOUND");
  request.mutable_options()->set_vhost(std::string(256, 'v'));
  EXPECT_EQ(ReasonOf(EndOf(request)), "INVALID_NAME");
  request.mutable_options()->Clear();
  request.mutable_options()->set_session_id("absent");
  EXPECT_EQ(ReasonOf(EndOf(request)), "SESSION_NOT_FOUND");
  request.mutable_options()->Clear();
  request.mutable_options()->set_max_response_bytes(1000);
  EXPECT_EQ(ReasonOf(EndOf(request)), "INVALID_VALUE");
  request.mutable_options()->Clear();
  request.mutable_options()->mutable_heartbeat_interval()->set_seconds(3600);
  EXPECT_EQ(ReasonOf(EndOf(request)), "INVALID_VALUE");
  EXPECT_EQ(FindQueue("q")->consumer_count, 0u);
  EXPECT_EQ(leases_.live_count(), 0u);
  EXPECT_EQ(streams_.WaitedForCount(), 0u);
}

TEST_F(DeliveryStreamTest, ASessionsVhostMustBeTheStreams) {
  v1::ConsumeRequest request = StartOf("q");
  const std::string session = OpenSession();
  request.mutable_options()->set_session_id(session);
  request.mutable_options()->set_vhost("other");
  EXPECT_EQ(ReasonOf(EndOf(request)), "VHOST_MISMATCH");
  EXPECT_EQ(CloseSession(session), 0u);
}

TEST_F(DeliveryStreamTest, ARequestThatDoesNotParseEndsTheStream) {
  auto client = Consuming("q");
  grpc::Slice junk(std::string("\xff\xff\xff"));
  client->SendBytes(grpc::ByteBuffer(&junk, 1));
  EXPECT_EQ(ReasonOf(client->status()), "MALFORMED_REQUEST");
}

// ---- The end of the stream ----

TEST_F(DeliveryStreamTest, CONS_08_AHalfCloseRequeuesThenEndsWithOk) {
  Publish("", "q", {"1", "2", "3"}).IgnoreError();
  auto client = Consuming("q");
  client->Receive();
  client->Send(AckOf({2}, /*request_id=*/1));
  client->HalfClose();
  EXPECT_EQ(FindQueue("q")->consumer_count, 0u);
  EXPECT_EQ(FindQueue("q")->messages_ready, 2u);
  EXPECT_FALSE(client->finished()) << "the reply is still to be read";
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(1));
  EXPECT_EQ(responses[0].settled().settled_count(), 1u);
  EXPECT_EQ(client->status(), absl::OkStatus());
  EXPECT_THAT(Drain("q"), ElementsAre("1", "3"));
}

TEST_F(DeliveryStreamTest, AHalfCloseWaitsForOperationsUnderWay) {
  Publish("", "q", {"1"}).IgnoreError();
  auto client = Consuming("q");
  client->Receive();
  stream_engine_.HoldSettles();
  client->Send(AckOf({1}));
  client->HalfClose();
  EXPECT_FALSE(client->finished());
  stream_engine_.LetSettlesGo();
  EXPECT_EQ(client->status(), absl::OkStatus());
  EXPECT_EQ(FindQueue("q")->messages_ready, 0u);
}

TEST_F(DeliveryStreamTest, AHalfCloseBeforeAnyRequestIsOk) {
  auto client = Open();
  client->HalfClose();
  EXPECT_EQ(client->status(), absl::OkStatus());
}

TEST_F(DeliveryStreamTest, CONS_08_AClientThatGoesGivesAllBackAtOnce) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto client = Consuming("q", /*prefetch_count=*/1);
  client->Leave();
  EXPECT_EQ(FindQueue("q")->messages_ready, 2u);
  EXPECT_EQ(FindQueue("q")->consumer_count, 0u);
  EXPECT_EQ(leases_.live_count(), 0u);
  EXPECT_EQ(streams_.WaitedForCount(), 0u);
}

TEST_F(DeliveryStreamTest, CONS_08_AFailedWriteEndsTheStream) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  auto stream = NewStream();
  stream.handler->OnStart(stream.call);
  stream.call->EndRead();
  stream.handler->OnReadDone(true, Serialize(StartOf("q")));
  ASSERT_TRUE(stream.call->EndWrite());
  stream.handler->OnWriteDone(false);
  EXPECT_EQ(FindQueue("q")->consumer_count, 0u);
  EXPECT_EQ(FindQueue("q")->messages_ready, 2u);
  stream.handler->OnDone(true);
}

TEST_F(DeliveryStreamTest, AStreamThatIsOverIsFreed) {
  Publish("", "q", {"1", "2"}).IgnoreError();
  for (const bool cancelled : {true, false}) {
    auto stream = NewStream();
    stream.handler->OnStart(stream.call);
    stream.call->EndRead();
    stream.handler->OnReadDone(true, Serialize(StartOf("q")));
    if (!cancelled) {
      stream.call->EndRead();
      stream.handler->OnReadDone(false, grpc::ByteBuffer());
      while (stream.call->EndWrite()) stream.handler->OnWriteDone(true);
      EXPECT_TRUE(stream.call->status().has_value());
    } else {
      stream.call->Break();
    }
    stream.handler->OnDone(cancelled);
    std::weak_ptr<CallHandler> handler = stream.handler;
    std::weak_ptr<Call> call = stream.call;
    stream = {};
    EXPECT_TRUE(handler.expired());
    EXPECT_TRUE(call.expired()) << "something still holds the stream";
  }
  EXPECT_EQ(FindQueue("q")->messages_ready, 2u);
}

TEST_F(DeliveryStreamTest, RequestsReadAfterTheEndHaveNoEffect) {
  Publish("", "q", {"1"}).IgnoreError();
  ASSERT_TRUE(Declare("other").ok());
  auto client = Consuming("q");
  // A write under way holds the end of the call back, but not the release.
  client->Receive();
  Publish("", "q", {"2"}).IgnoreError();
  ASSERT_TRUE(client->call().writing());
  streams_.EndAllForDrain();
  EXPECT_EQ(FindQueue("q")->messages_ready, 2u);
  client->Send(StartOf("q", 2));
  client->Send(GetOf("q", 1));
  client->Send(AckOf({1}));
  EXPECT_EQ(FindQueue("q")->consumer_count, 0u);
  EXPECT_EQ(FindQueue("q")->messages_unacked, 0u);
  client->Receive();
  EXPECT_EQ(ReasonOf(client->status()), "SERVER_DRAINING");
}

TEST_F(DeliveryStreamTest, LeasesEndAsTheirDeliveriesDid) {
  Publish("", "q", {"1"}).IgnoreError();
  const auto lease_after_end = [this](bool ack) {
    auto client = Open();
    client->Send(StartOf("q"));
    const std::string lease_id = client->Receive()[0].started().lease_id();
    if (ack) client->Send(AckOf({1}));
    client->HalfClose();
    return lease_id;
  };
  EXPECT_EQ(ReasonOf(leases_.Find(lease_after_end(false))), "LEASE_EXPIRED");
  EXPECT_EQ(ReasonOf(leases_.Find(lease_after_end(true))), "OK");
}

TEST_F(DeliveryStreamTest, AnAckThatCrossesTheEndDoesNotMakeItSettled) {
  Publish("", "q", {"1"}).IgnoreError();
  auto client = Open();
  client->Send(StartOf("q"));
  const std::string lease_id = client->Receive()[0].started().lease_id();
  const std::shared_ptr<Lease> lease = leases_.Find(lease_id)->lease;
  stream_engine_.set_after_release([&lease] {
    lease->Settle(SettleAction::kAck, {{1}, {}, 0, false},
                  [](SettleOutcome) {});
  });
  client->Leave();
  EXPECT_EQ(FindQueue("q")->messages_ready, 1u);
  EXPECT_EQ(ReasonOf(leases_.Find(lease_id)), "LEASE_EXPIRED");
}

TEST_F(DeliveryStreamTest, WhatWentWithItsQueueWasNotSettled) {
  QueueSpec spec;
  spec.name = "auto";
  spec.auto_delete = true;
  ASSERT_TRUE(Declare(spec).ok());
  Publish("", "auto", {"1"}).IgnoreError();
  auto client = Open();
  client->Send(StartOf("auto"));
  const std::string lease_id = client->Receive()[0].started().lease_id();
  client->HalfClose();
  EXPECT_FALSE(HasQueue("auto"));
  EXPECT_EQ(ReasonOf(leases_.Find(lease_id)), "LEASE_EXPIRED");
}

TEST_F(DeliveryStreamTest, ADrainIsToldAndStartsNothingNew) {
  auto client = Consuming("q");
  streams_.DrainAll(clock_.Now() + absl::Seconds(10));
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(1));
  EXPECT_EQ(responses[0].draining().deadline().seconds(),
            absl::ToUnixSeconds(clock_.Now()) + 10);
  client->Send(GetOf("q", 1));
  EXPECT_EQ(client->Receive()[0].got().error().reason(), "SERVER_DRAINING");
  client->Send(StartOf("q", 2));
  EXPECT_EQ(client->Receive()[0].cancelled().error().reason(),
            "SERVER_DRAINING");
}

// What is confirmed would be lost with the broker's memory otherwise.
TEST_F(DeliveryStreamTest, ADrainGoesOnDeliveringAndSettling) {
  Publish("", "q", {"1"}).IgnoreError();
  auto client = Consuming("q");
  client->Receive();
  streams_.DrainAll(clock_.Now() + absl::Seconds(10));
  Publish("", "q", {"2"}).IgnoreError();
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(2));
  EXPECT_TRUE(responses[0].has_draining());
  EXPECT_EQ(responses[1].deliveries().deliveries(0).message().body(), "2");
  client->Send(AckOf({1}, /*request_id=*/1));
  const auto settled = client->Receive();
  ASSERT_THAT(settled, SizeIs(1));
  EXPECT_EQ(settled[0].settled().settled_count(), 1u);
  streams_.EndAllForDrain();
  EXPECT_EQ(ReasonOf(client->status()), "SERVER_DRAINING");
  EXPECT_EQ(FindQueue("q")->messages_ready, 1u);  // the one not settled
}

TEST_F(DeliveryStreamTest, ASessionsEndReportsWhatWasRequeued) {
  Publish("", "q", {"1", "2", "3"}).IgnoreError();
  const std::string session = OpenSession();
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_options()->set_session_id(session);
  auto client = Open();
  client->Send(request);
  client->Receive();
  client->Send(AckOf({1}));
  EXPECT_EQ(CloseSession(session), 2u);
  EXPECT_EQ(client->status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(client->status()), "SESSION_ENDED");
  EXPECT_EQ(FindQueue("q")->messages_ready, 2u);
}

TEST_F(DeliveryStreamTest, AStreamThatIsOverNoLongerKeepsItsSession) {
  const std::string session = OpenSession();
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_options()->set_session_id(session);
  auto client = Open();
  client->Send(request);
  Pass(absl::Seconds(40));
  EXPECT_EQ(sessions_->count(), 1u);
  client->Leave();
  Pass(absl::Seconds(31));
  EXPECT_EQ(sessions_->count(), 0u);
}

TEST_F(DeliveryStreamTest, ASessionThatEndsWhileTheStreamOpensEndsItInOrder) {
  const std::string session = OpenSession();
  v1::ConsumeRequest request = StartOf("q");
  request.mutable_options()->set_session_id(session);
  std::optional<uint64_t> requeued;
  stream_engine_.set_on_check_vhost([&] {
    sessions_->Close(session, [&](absl::StatusOr<Sessions::Ended> ended) {
      requeued = ended->requeued_count;
    });
  });
  EXPECT_EQ(ReasonOf(EndOf(request)), "SESSION_ENDED");
  EXPECT_EQ(requeued, 0u);
  EXPECT_EQ(leases_.live_count(), 0u);
  EXPECT_EQ(FindQueue("q")->consumer_count, 0u);
}

TEST_F(DeliveryStreamTest, VHOST_04_ADeletedVhostEndsItsStreams) {
  auto client = Consuming("q");
  streams_.EndVhost("other");
  EXPECT_FALSE(client->finished());
  streams_.EndVhost("/");
  EXPECT_EQ(ReasonOf(client->status()), "VHOST_NOT_FOUND");
}

// ---- Subscribe ----

TEST_F(DeliveryStreamTest, SubscribeNamesItsLeaseInEachResponse) {
  Publish("", "q", {"1"}).IgnoreError();
  auto client = Subscribe("q");
  Publish("", "q", {"2"}).IgnoreError();
  Pass(absl::Seconds(30));
  client->LetWriteThrough();
  client->LetWriteThrough();
  Pass(absl::Seconds(30));
  const auto responses = client->Receive();
  ASSERT_GE(responses.size(), 3u);
  const std::string lease_id = responses[0].started().lease_id();
  EXPECT_FALSE(lease_id.empty());
  std::vector<std::string> bodies;
  for (const auto& response : responses) {
    EXPECT_EQ(response.lease_id(), lease_id);
    for (const v1::Delivery& delivery : response.deliveries()) {
      bodies.push_back(delivery.message().body());
    }
  }
  EXPECT_THAT(bodies, ElementsAre("1", "2"));
  EXPECT_TRUE(leases_.Find(lease_id).ok());
}

TEST_F(DeliveryStreamTest, SubscribeEndsWithItsConsumer) {
  Publish("", "q", {"1"}).IgnoreError();
  auto client = Subscribe("q");
  client->Receive();
  ASSERT_TRUE(DeleteQueue("q").ok());
  const auto responses = client->Receive();
  ASSERT_THAT(responses, SizeIs(1));
  EXPECT_TRUE(responses[0].has_lost());
  EXPECT_EQ(client->status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(client->status()), "QUEUE_DELETED");
}

TEST_F(DeliveryStreamTest, VHOST_04_SubscribeEndsWithItsVhost) {
  auto client = Subscribe("q");
  client->Receive();
  engine_.DeleteVhost("/", [](absl::StatusOr<bool>) {});
  EXPECT_EQ(ReasonOf(client->status()), "VHOST_NOT_FOUND");
}

TEST_F(DeliveryStreamTest, SubscribeNeedsAStart) {
  FakeClient<v1::SubscribeResponse> client(
      std::make_shared<SubscribeStream>(&context_));
  client.Start();
  client.Send(v1::SubscribeRequest());
  EXPECT_EQ(ReasonOf(client.status()), "FIRST_MESSAGE");
}

TEST_F(DeliveryStreamTest, SubscribeToAnAbsentQueueFails) {
  auto client = Subscribe("absent");
  EXPECT_EQ(ReasonOf(client->status()), "QUEUE_NOT_FOUND");
}

}  // namespace
}  // namespace kelpmq::service::testing
