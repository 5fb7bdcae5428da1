// Stopping, step by step, with streams in different states.
#include <gtest/gtest.h>

#include "grpc/health/v1/health.pb.h"
#include "kelpmq/v1/messaging.pb.h"
#include "kelpmq/v1/topology.pb.h"
#include "tests/testing/broker_fixture.h"

namespace kelpmq::service::testing {
namespace {

constexpr char kConsume[] = "/kelpmq.v1.MessagingService/Consume";
constexpr char kPublish[] = "/kelpmq.v1.MessagingService/Publish";

class Drain : public BrokerFixture {
 protected:
  void SetUp() override {
    BrokerFixture::SetUp();
    v1::DeclareQueueRequest request;
    request.set_name("q");
    v1::DeclareQueueResponse response;
    ASSERT_TRUE(CallUnary(channel_, "/kelpmq.v1.TopologyService/DeclareQueue",
                          request, &response)
                    .status.ok());
  }

  // Starts to consume "q" and waits until the consumer is there.
  void StartConsumer(GenericClientCall* call) {
    v1::ConsumeRequest request;
    request.mutable_start()->set_queue("q");
    ASSERT_TRUE(call->Start());
    ASSERT_TRUE(call->Write(request.SerializeAsString()));
    v1::ConsumeResponse response;
    ASSERT_TRUE(call->Read(&response));
    ASSERT_TRUE(response.has_started());
  }

  UnaryResult Publish() {
    v1::PublishRequest request;
    request.set_routing_key("q");
    v1::PublishResponse response;
    return CallUnary(channel_, kPublish, request, &response);
  }

  bool Serving() {
    ::grpc::health::v1::HealthCheckRequest request;
    ::grpc::health::v1::HealthCheckResponse response;
    return CallUnary(channel_, "/grpc.health.v1.Health/Check", request,
                     &response)
               .status.ok() &&
           response.status() ==
               ::grpc::health::v1::HealthCheckResponse::SERVING;
  }
};

TEST_F(Drain, TellsStreamsRefusesNewOnesAndGoesOnServingTheRest) {
  GenericClientCall consumer(channel_, kConsume);
  StartConsumer(&consumer);
  EXPECT_TRUE(Serving());
  EXPECT_FALSE(broker_->drained());
  broker_->BeginDrain(absl::Minutes(1));

  v1::ConsumeResponse response;
  ASSERT_TRUE(consumer.Read(&response));
  EXPECT_TRUE(response.has_draining());
  EXPECT_TRUE(response.draining().has_deadline());
  EXPECT_FALSE(Serving());
  EXPECT_TRUE(Publish().status.ok());
  GenericClientCall refused(channel_, kConsume);
  ASSERT_TRUE(refused.Start());
  EXPECT_EQ(refused.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused.Trailer("kelpmq-reason"), "SERVER_DRAINING");

  // The client has understood: nothing is left to wait for.
  consumer.WritesDone();
  while (consumer.Read(&response)) {
  }
  EXPECT_TRUE(consumer.Finish().ok());
  broker_->Stop();
  EXPECT_TRUE(broker_->drained());
}

TEST_F(Drain, EndsTheStreamsThatAreLeft) {
  GenericClientCall consumer(channel_, kConsume);
  StartConsumer(&consumer);
  broker_->BeginDrain(absl::Minutes(1));
  EXPECT_FALSE(broker_->drained());
  broker_->Stop();
  v1::ConsumeResponse response;
  while (consumer.Read(&response)) {
  }
  EXPECT_EQ(consumer.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(consumer.Trailer("kelpmq-reason"), "SERVER_DRAINING");
}

TEST_F(Drain, AHealthWatchIsNotWaitedForAndEnds) {
  GenericClientCall watch(channel_, "/grpc.health.v1.Health/Watch");
  ASSERT_TRUE(watch.Start());
  ASSERT_TRUE(watch.Write(""));
  ::grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(watch.Read(&response));
  EXPECT_TRUE(broker_->drained());
  broker_->Stop();
  while (watch.Read(&response)) {
  }
  EXPECT_EQ(watch.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(response.status(),
            ::grpc::health::v1::HealthCheckResponse::NOT_SERVING);
}

TEST_F(Drain, AClientThatDoesNotReadCannotHoldTheStopUp) {
  for (int i = 0; i < 100; ++i) {
    v1::PublishRequest request;
    request.set_routing_key("q");
    request.mutable_message()->set_body(std::string(1 << 20, 'x'));
    v1::PublishResponse response;
    ASSERT_TRUE(CallUnary(channel_, kPublish, request, &response).status.ok());
  }
  GenericClientCall consumer(channel_, kConsume);
  StartConsumer(&consumer);  // and reads nothing more
  broker_->Stop();
  consumer.Cancel();
}

}  // namespace
}  // namespace kelpmq::service::testing
