#include "service/rpc/reactor.h"

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "service/base/error.h"
#include "service/rpc/codec.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace kelpmq::service::testing {
namespace {

constexpr char kMethod[] = "/test.Service/Method";

class Reactor : public RpcFixture {
 protected:
  // Serves kMethod with a probe and calls it.
  void StartProbed() {
    methods_.Add(kMethod, MethodTable::WhileDraining::kAllow,
                 [this] { return std::make_shared<ProbeHandler>(probe_); });
    StartServer();
    client_ = std::make_unique<GenericClientCall>(channel_, kMethod);
    ASSERT_TRUE(client_->Start());
    ASSERT_TRUE(WaitFor(&probe_->started));
  }

  std::shared_ptr<Probe> probe_ = std::make_shared<Probe>();
  std::unique_ptr<GenericClientCall> client_;
};

TEST_F(Reactor, UnaryRoundTrip) {
  AddRawUnary(&methods_, kMethod, MethodTable::WhileDraining::kAllow,
              [](CallContext context, grpc::ByteBuffer request,
                 RawReply reply) { std::move(reply)(std::move(request)); });
  StartServer();
  const UnaryResult result = CallUnary(channel_, kMethod, "hello");
  EXPECT_TRUE(result.status.ok()) << result.status.error_message();
  EXPECT_EQ(result.response, "hello");
}

TEST_F(Reactor, UnaryReplyMayComeLaterFromAnotherThread) {
  std::promise<RawReply> asked;
  std::thread replier([reply = asked.get_future()]() mutable {
    reply.get()(BytesOf("later"));
  });
  AddRawUnary(&methods_, kMethod, MethodTable::WhileDraining::kAllow,
              [&asked](CallContext context, grpc::ByteBuffer request,
                       RawReply reply) { asked.set_value(std::move(reply)); });
  StartServer();
  EXPECT_EQ(CallUnary(channel_, kMethod, "").response, "later");
  replier.join();
}

TEST_F(Reactor, UnaryReplyThatIsDroppedIsAnInternalError) {
  AddRawUnary(
      &methods_, kMethod, MethodTable::WhileDraining::kAllow,
      [](CallContext context, grpc::ByteBuffer request, RawReply reply) {});
  StartServer();
  const UnaryResult result = CallUnary(channel_, kMethod, "");
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(result.reason, "INTERNAL_ERROR");
}

TEST_F(Reactor, UnaryCallWithoutRequestIsMalformed) {
  AddRawUnary(&methods_, kMethod, MethodTable::WhileDraining::kAllow,
              [](CallContext context, grpc::ByteBuffer request,
                 RawReply reply) { std::move(reply)(std::move(request)); });
  StartServer();
  GenericClientCall call(channel_, kMethod);
  ASSERT_TRUE(call.Start());
  call.WritesDone();
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(call.Trailer("kelpmq-reason"), "MALFORMED_REQUEST");
}

TEST_F(Reactor, StreamEchoesInOrderUntilHalfClose) {
  methods_.Add(kMethod, MethodTable::WhileDraining::kAllow,
               [] { return std::make_shared<EchoHandler>(); });
  StartServer();
  GenericClientCall call(channel_, kMethod);
  ASSERT_TRUE(call.Start());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(call.Write(std::to_string(i)));
    std::string echoed;
    ASSERT_TRUE(call.Read(&echoed));
    EXPECT_EQ(echoed, std::to_string(i));
  }
  call.WritesDone();
  std::string none;
  EXPECT_FALSE(call.Read(&none));
  EXPECT_TRUE(call.Finish().ok());
}

TEST_F(Reactor, HandlerLearnsMetadataDeadlineAndPeer) {
  methods_.Add(kMethod, MethodTable::WhileDraining::kAllow,
               [this] { return std::make_shared<ProbeHandler>(probe_); });
  StartServer();
  GenericClientCall call(channel_, kMethod);
  call.context().AddMetadata("some-key", "some value");
  ASSERT_TRUE(call.Start());
  ASSERT_TRUE(WaitFor(&probe_->started));
  EXPECT_EQ(probe_->call->method(), kMethod);
  EXPECT_EQ(probe_->call->metadata("some-key"), "some value");
  EXPECT_EQ(probe_->call->metadata("no-such-key"), "");
  EXPECT_NE(probe_->call->deadline(), absl::InfiniteFuture());
  EXPECT_EQ(probe_->call->peer().rfind("ipv4:127.0.0.1:", 0), 0);
  EXPECT_FALSE(probe_->call->cancelled());
  probe_->call->Finish(absl::OkStatus());
}

TEST_F(Reactor, CancelIsSeenByAHandlerThatWaitsForNothing) {
  StartProbed();
  client_->Cancel();
  ASSERT_TRUE(WaitFor(&probe_->done));
  EXPECT_TRUE(probe_->cancelled);
  EXPECT_TRUE(probe_->call->cancelled());
}

TEST_F(Reactor, CancelFailsTheReadThatIsUnderWay) {
  StartProbed();
  probe_->call->Read();
  client_->Cancel();
  ASSERT_TRUE(WaitFor(&probe_->done));
  EXPECT_TRUE(probe_->read_failed.HasBeenNotified());
  EXPECT_TRUE(probe_->cancelled);
}

TEST_F(Reactor, DeadlineEndsTheCall) {
  methods_.Add(kMethod, MethodTable::WhileDraining::kAllow,
               [this] { return std::make_shared<ProbeHandler>(probe_); });
  StartServer();
  GenericClientCall call(channel_, kMethod);
  call.context().set_deadline(std::chrono::system_clock::now() +
                              std::chrono::milliseconds(100));
  call.Start();
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ASSERT_TRUE(WaitFor(&probe_->done));
  EXPECT_TRUE(probe_->cancelled);
}

TEST_F(Reactor, ConnectionLossEndsTheCall) {
  StartProbed();
  client_.reset();
  channel_.reset();
  ASSERT_TRUE(WaitFor(&probe_->done));
  EXPECT_TRUE(probe_->cancelled);
}

TEST_F(Reactor, HalfOpenStreamEndsOnlyWhenFinished) {
  StartProbed();
  client_->WritesDone();
  probe_->call->Read();
  ASSERT_TRUE(WaitFor(&probe_->read_failed));
  EXPECT_FALSE(probe_->done.HasBeenNotified());
  probe_->call->Write(BytesOf("still served"));
  std::string text;
  EXPECT_TRUE(client_->Read(&text));
  EXPECT_EQ(text, "still served");
  probe_->call->Finish(absl::OkStatus());
  EXPECT_TRUE(client_->Finish().ok());
  ASSERT_TRUE(WaitFor(&probe_->done));
  EXPECT_FALSE(probe_->cancelled);
}

TEST_F(Reactor, FirstFinishWinsAndLaterWritesAreDropped) {
  StartProbed();
  probe_->call->Finish(MakeError(Reason::kQueueNotFound, "no queue 'q'"));
  probe_->call->Finish(absl::OkStatus());
  probe_->call->Write(BytesOf("too late"));
  probe_->call->Read();
  std::string text;
  EXPECT_FALSE(client_->Read(&text));
  EXPECT_EQ(client_->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(client_->Trailer("kelpmq-reason"), "QUEUE_NOT_FOUND");
  EXPECT_EQ(client_->Trailer("kelpmq-amqp-code"), "404");
  ASSERT_TRUE(WaitFor(&probe_->done));
}

TEST_F(Reactor, FinishLetsTheWriteUnderWayThrough) {
  StartProbed();
  // More than flow control lets pass while the client does not read.
  const std::string large(8 << 20, 'x');
  probe_->call->Write(BytesOf(large));
  probe_->call->Finish(absl::OkStatus());
  std::string text;
  ASSERT_TRUE(client_->Read(&text));
  EXPECT_EQ(text.size(), large.size());
  EXPECT_TRUE(client_->Finish().ok());
  ASSERT_TRUE(WaitFor(&probe_->done));
  EXPECT_FALSE(probe_->cancelled);
}

TEST_F(Reactor, CancelDuringAWriteDropsTheFinishBehindIt) {
  StartProbed();
  probe_->call->Write(BytesOf(std::string(8 << 20, 'x')));
  probe_->call->Finish(absl::OkStatus());
  client_->Cancel();
  ASSERT_TRUE(WaitFor(&probe_->done));
  EXPECT_TRUE(probe_->cancelled);
}

TEST_F(Reactor, ACallThatIsOverStaysUsable) {
  StartProbed();
  client_->Cancel();
  ASSERT_TRUE(WaitFor(&probe_->done));
  server_.reset();
  probe_->call->Read();
  probe_->call->Write(BytesOf("nobody"));
  probe_->call->WriteAndFinish(BytesOf("nobody"));
  probe_->call->Finish(absl::OkStatus());
  EXPECT_EQ(probe_->call->method(), kMethod);
  EXPECT_EQ(probe_->call->peer(), "");
}

TEST_F(Reactor, FinishFromManyThreadsEndsTheCallOnce) {
  StartProbed();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] {
      probe_->call->Finish(MakeError(Reason::kSessionEnded, "ended"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(client_->Finish().error_code(), grpc::StatusCode::ABORTED);
  ASSERT_TRUE(WaitFor(&probe_->done));
}

TEST_F(Reactor, ManyCallsAtOnceAndCancelled) {
  std::atomic<int> open{0};
  class CountingHandler : public EchoHandler {
   public:
    explicit CountingHandler(std::atomic<int>* open) : open_(open) { ++*open_; }
    ~CountingHandler() override { --*open_; }

   private:
    std::atomic<int>* const open_;
  };
  methods_.Add(kMethod, MethodTable::WhileDraining::kAllow,
               [&open] { return std::make_shared<CountingHandler>(&open); });
  StartServer();
  std::vector<std::thread> clients;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([this, client] {
      for (int i = 0; i < 25; ++i) {
        GenericClientCall call(channel_, kMethod);
        std::string text;
        ASSERT_TRUE(call.Start() && call.Write("x") && call.Read(&text));
        if ((i + client) % 2 == 0) call.Cancel();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  server_.reset();
  EXPECT_EQ(open.load(), 0);  // every handler was let go of
}

}  // namespace
}  // namespace kelpmq::service::testing
