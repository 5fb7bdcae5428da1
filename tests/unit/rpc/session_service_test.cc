#include "service/rpc/session_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "tests/testing/broker_fixture.h"

namespace kelpmq::service::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class SessionServiceTest : public BrokerFixture {
 protected:
  auto Open(int ttl_seconds = 0, bool bound_to_watch = false) {
    v1::OpenSessionRequest request;
    request.mutable_ttl()->set_seconds(ttl_seconds);
    request.set_bound_to_watch(bound_to_watch);
    return Call(&Session::OpenSession, request);
  }
  auto KeepAlive(const std::string& id) {
    v1::KeepSessionAliveRequest request;
    request.set_session_id(id);
    return Call(&Session::KeepSessionAlive, request);
  }
  auto Close(const std::string& id) {
    v1::CloseSessionRequest request;
    request.set_session_id(id);
    return Call(&Session::CloseSession, request);
  }
  // Declares a queue of the session's with two messages in it.
  void DeclareExclusive(const std::string& session_id,
                        const std::string& name) {
    v1::DeclareQueueRequest request;
    request.set_session_id(session_id);
    request.set_name(name);
    request.set_exclusive(true);
    ASSERT_EQ(Call(&Topology::DeclareQueue, request).reason, "OK");
  }
  bool QueueExists(const std::string& name) {
    v1::GetQueueRequest request;
    request.set_name(name);
    return Call(&Topology::GetQueue, request).ok();
  }
  void DeclareShared(const std::string& name) {
    v1::DeclareQueueRequest request;
    request.set_name(name);
    ASSERT_EQ(Call(&Topology::DeclareQueue, request).reason, "OK");
  }
  void Publish(const std::string& queue) {
    v1::PublishRequest request;
    request.set_routing_key(queue);
    request.mutable_message()->set_body("x");
    ASSERT_EQ(Call(&Messaging::Publish, request).reason, "OK");
  }

  // A WatchSession that has shown its first heartbeat.
  struct Watch {
    std::unique_ptr<grpc::ClientContext> context = NewContext();
    std::unique_ptr<grpc::ClientReader<v1::WatchSessionResponse>> stream;

    // Reads to the end.
    std::string End() {
      v1::WatchSessionResponse response;
      while (stream->Read(&response)) {
      }
      const grpc::Status status = stream->Finish();
      return ReasonOfCall(*context, status);
    }
  };
  Watch WatchSession(const std::string& id) {
    Watch watch;
    v1::WatchSessionRequest request;
    request.set_session_id(id);
    watch.stream = session_stub_->WatchSession(watch.context.get(), request);
    v1::WatchSessionResponse first;
    EXPECT_TRUE(watch.stream->Read(&first));
    EXPECT_TRUE(first.has_heartbeat());
    EXPECT_EQ(first.heartbeat().request_id(), 0u);
    return watch;
  }
  void SetUp() override {
    BrokerFixture::SetUp();
    session_stub_ = v1::SessionService::NewStub(channel_);
  }
  // Waits until the server has noticed that a stream is over.
  bool ComesTrue(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
    }
    return true;
  }

  std::unique_ptr<v1::SessionService::Stub> session_stub_;
};

TEST_F(SessionServiceTest, OpenAnswersIdTtlAndExpireTime) {
  auto opened = Open();
  ASSERT_EQ(opened.reason, "OK");
  EXPECT_LE(opened->session_id().size(), 64u);
  EXPECT_EQ(opened->ttl().seconds(), 30);
  EXPECT_EQ(opened->expire_time().seconds(),
            absl::ToUnixSeconds(clock_.Now()) + 30);
  EXPECT_EQ(Open(7)->ttl().seconds(), 7);
}

TEST_F(SessionServiceTest, TtlIsBounded) {
  EXPECT_EQ(Open(5).reason, "OK");
  EXPECT_EQ(Open(3600).reason, "OK");
  EXPECT_EQ(Open(4).reason, "INVALID_VALUE");
  EXPECT_EQ(Open(3601).reason, "INVALID_VALUE");
  EXPECT_EQ(Open(-1).reason, "INVALID_VALUE");
}

TEST_F(SessionServiceTest, OpenChecksItsFields) {
  v1::OpenSessionRequest request;
  request.set_client_name(std::string(256, 'c'));
  EXPECT_EQ(Call(&Session::OpenSession, request).reason, "INVALID_NAME");
  request.set_client_name("c");
  (*request.mutable_client_properties())["no kind"];
  EXPECT_EQ(Call(&Session::OpenSession, request).reason, "INVALID_VALUE");
  request.clear_client_properties();
  request.set_vhost("nowhere");
  EXPECT_EQ(Call(&Session::OpenSession, request).reason, "VHOST_NOT_FOUND");
}

TEST_F(SessionServiceTest, KeepAliveRenews) {
  const std::string id = Open()->session_id();
  Advance(absl::Seconds(20));
  auto kept = KeepAlive(id);
  ASSERT_EQ(kept.reason, "OK");
  EXPECT_EQ(kept->expire_time().seconds(),
            absl::ToUnixSeconds(clock_.Now()) + 30);
  Advance(absl::Seconds(30));
  EXPECT_EQ(KeepAlive(id).reason, "SESSION_NOT_FOUND");
}

TEST_F(SessionServiceTest, QLIFE_02_CloseDeletesExclusiveQueues) {
  const std::string id = Open()->session_id();
  DeclareExclusive(id, "a");
  DeclareExclusive(id, "b");
  auto closed = Close(id);
  ASSERT_EQ(closed.reason, "OK");
  EXPECT_THAT(closed->deleted_queues(), UnorderedElementsAre("a", "b"));
  EXPECT_FALSE(QueueExists("a"));
  EXPECT_EQ(Close(id).reason, "OK") << "for a minute";
  Advance(absl::Seconds(61));
  EXPECT_EQ(Close(id).reason, "SESSION_NOT_FOUND");
}

TEST_F(SessionServiceTest, CHAN_02_CloseRequeuesWhatItsStreamsAndLeasesHold) {
  const std::string id = Open()->session_id();
  DeclareShared("jobs");
  for (int i = 0; i < 3; ++i) Publish("jobs");

  v1::GetRequest get;
  get.set_session_id(id);
  get.set_queue("jobs");
  auto got = Call(&Messaging::Get, get);
  ASSERT_EQ(got.reason, "OK");
  ASSERT_EQ(got->deliveries_size(), 1);

  v1::SubscribeRequest subscribe;
  subscribe.mutable_start()->set_queue("jobs");
  subscribe.mutable_options()->set_session_id(id);
  Messaging stub(channel_);
  const auto context = NewContext();
  auto stream = stub.Subscribe(context.get(), subscribe);
  v1::SubscribeResponse response;
  int delivered = 0;
  while (delivered < 2 && stream->Read(&response)) {
    delivered += response.deliveries_size();
  }
  EXPECT_EQ(delivered, 2);

  auto closed = Close(id);
  ASSERT_EQ(closed.reason, "OK");
  EXPECT_EQ(closed->requeued_count(), 3u);
  while (stream->Read(&response)) {
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(ReasonOfCall(*context, status), "SESSION_ENDED");

  v1::GetRequest again;
  again.set_queue("jobs");
  again.set_max_messages(10);
  auto redelivered = Call(&Messaging::Get, again);
  ASSERT_EQ(redelivered->deliveries_size(), 3);
  EXPECT_TRUE(redelivered->deliveries(0).redelivered());
}

TEST_F(SessionServiceTest, AWatchKeepsItsSessionAlive) {
  const std::string id = Open()->session_id();
  Watch watch = WatchSession(id);
  Advance(absl::Hours(2));
  EXPECT_EQ(KeepAlive(id).reason, "OK");
  EXPECT_EQ(Close(id).reason, "OK");
  EXPECT_EQ(watch.End(), "SESSION_ENDED");
}

TEST_F(SessionServiceTest, AfterItsWatchASessionLivesForItsTtl) {
  const std::string id = Open()->session_id();
  DeclareExclusive(id, "mine");
  Watch watch = WatchSession(id);
  Advance(absl::Hours(2));
  watch.context->TryCancel();
  EXPECT_EQ(watch.stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  v1::ListSessionsRequest list;
  ASSERT_TRUE(ComesTrue([&] {
    return Call(&Admin::ListSessions, list)->sessions(0).stream_count() == 0;
  }));
  Advance(absl::Seconds(29));
  EXPECT_TRUE(QueueExists("mine"));
  Advance(absl::Seconds(1));
  EXPECT_FALSE(QueueExists("mine"));
}

TEST_F(SessionServiceTest, ABoundSessionEndsWithItsWatch) {
  const std::string id = Open(0, /*bound_to_watch=*/true)->session_id();
  DeclareExclusive(id, "mine");
  Watch watch = WatchSession(id);
  watch.context->TryCancel();
  watch.stream->Finish();
  EXPECT_TRUE(ComesTrue([&] { return !QueueExists("mine"); }));
  EXPECT_EQ(KeepAlive(id).reason, "SESSION_NOT_FOUND");
}

TEST_F(SessionServiceTest, WatchOfAnUnknownSessionIsSessionNotFound) {
  v1::WatchSessionRequest request;
  request.set_session_id("nonsense");
  const auto context = NewContext();
  auto stream = session_stub_->WatchSession(context.get(), request);
  v1::WatchSessionResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOfCall(*context, stream->Finish()), "SESSION_NOT_FOUND");
}

TEST_F(SessionServiceTest, WatchHeartbeatIntervalIsBounded) {
  v1::WatchSessionRequest request;
  request.set_session_id(Open()->session_id());
  request.mutable_heartbeat_interval()->set_seconds(601);
  const auto context = NewContext();
  auto stream = session_stub_->WatchSession(context.get(), request);
  v1::WatchSessionResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOfCall(*context, stream->Finish()), "INVALID_VALUE");
}

TEST_F(SessionServiceTest, AWatchHearsOfTheDrainAndEndsWithIt) {
  const std::string id = Open()->session_id();
  Watch watch = WatchSession(id);
  broker_->BeginDrain(absl::Seconds(10));
  v1::WatchSessionResponse response;
  ASSERT_TRUE(watch.stream->Read(&response));
  EXPECT_TRUE(response.has_draining());
  EXPECT_EQ(Open().reason, "SERVER_DRAINING");
  EXPECT_EQ(Close(id).reason, "OK") << "goes on during a drain";
  EXPECT_EQ(watch.End(), "SESSION_ENDED");
}

TEST_F(SessionServiceTest, AWatchThatIsNoRequestIsMalformed) {
  GenericClientCall call(channel_, "/kelpmq.v1.SessionService/WatchSession");
  ASSERT_TRUE(call.Start());
  call.Write("\xff");
  call.WritesDone();
  std::string response;
  EXPECT_FALSE(call.Read(&response));
  call.Finish();
  EXPECT_EQ(call.Trailer("kelpmq-reason"), "MALFORMED_REQUEST");
}

}  // namespace
}  // namespace kelpmq::service::testing
