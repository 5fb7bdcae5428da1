#include "service/rpc/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "kelpmq/v1/messaging.pb.h"
#include "service/base/error.h"
#include "service/rpc/codec.h"
#include "tests/testing/freezing_proxy.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace kelpmq::service::testing {
namespace {

constexpr char kUnary[] = "/test.Service/Unary";
constexpr char kStream[] = "/test.Service/Stream";
constexpr char kRefused[] = "/test.Service/RefusedWhileDraining";

class ServerTest : public RpcFixture {
 protected:
  ServerTest() {
    const auto echo = [](CallContext context, grpc::ByteBuffer request,
                         RawReply reply) {
      std::move(reply)(std::move(request));
    };
    AddRawUnary(&methods_, kUnary, MethodTable::WhileDraining::kAllow, echo);
    AddRawUnary(&methods_, kRefused, MethodTable::WhileDraining::kRefuse, echo);
    methods_.Add(kStream, MethodTable::WhileDraining::kAllow,
                 [this] { return std::make_shared<ProbeHandler>(probe_); });
  }

  // A path for a Unix socket that nothing else uses.
  static std::string SocketPath(const char* name) {
    return ::testing::TempDir() + "kelpmq_" + std::to_string(getpid()) + "_" +
           name + ".sock";
  }

  std::shared_ptr<Probe> probe_ = std::make_shared<Probe>();
};

TEST_F(ServerTest, UnknownMethodIsPlainUnimplemented) {
  StartServer();
  const UnaryResult result = CallUnary(channel_, "/test.Service/Nothing", "");
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(result.status.error_message(), "");
  EXPECT_EQ(result.reason, "");
}

TEST_F(ServerTest, MalformedRequestSaysSoInTrailers) {
  AddUnary<v1::PublishRequest, v1::PublishResponse>(
      &methods_, "/test.Service/Parsed", MethodTable::WhileDraining::kAllow,
      [](CallContext context, v1::PublishRequest request,
         Reply<v1::PublishResponse> reply) {
        std::move(reply)(v1::PublishResponse());
      });
  StartServer();
  EXPECT_TRUE(CallUnary(channel_, "/test.Service/Parsed", "").status.ok());
  for (const std::string& request :
       {std::string("\x0a\x05"), std::string("\x0a\x02\xff\xfe")}) {
    const UnaryResult result =
        CallUnary(channel_, "/test.Service/Parsed", request);
    EXPECT_EQ(result.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(result.reason, "MALFORMED_REQUEST");
    EXPECT_EQ(result.amqp_code, "502");
    EXPECT_NE(result.status.error_message().find("kelpmq.v1.PublishRequest"),
              std::string::npos);
  }
}

TEST_F(ServerTest, LargeRequestIsParsedFromManySlices) {
  AddUnary<v1::PublishRequest, v1::PublishResponse>(
      &methods_, "/test.Service/Parsed", MethodTable::WhileDraining::kAllow,
      [](CallContext context, v1::PublishRequest request,
         Reply<v1::PublishResponse> reply) {
        v1::PublishResponse response;
        response.set_queue_count(request.message().body().size());
        std::move(reply)(response);
      });
  StartServer();
  v1::PublishRequest request;
  request.mutable_message()->set_body(std::string(4'000'000, 'x'));
  v1::PublishResponse response;
  EXPECT_TRUE(CallUnary(channel_, "/test.Service/Parsed", request, &response)
                  .status.ok());
  EXPECT_EQ(response.queue_count(), 4'000'000u);
}

TEST_F(ServerTest, OversizedRequestIsResourceExhausted) {
  options_.max_request_bytes = 1000;
  StartServer();
  EXPECT_TRUE(CallUnary(channel_, kUnary, std::string(1000, 'x')).status.ok());
  EXPECT_EQ(
      CallUnary(channel_, kUnary, std::string(1001, 'x')).status.error_code(),
      grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerTest, OversizedStreamRequestEndsThatStreamAlone) {
  options_.max_request_bytes = 1000;
  methods_.Add("/test.Service/Echo", MethodTable::WhileDraining::kAllow,
               [] { return std::make_shared<EchoHandler>(); });
  StartServer();
  GenericClientCall other(channel_, "/test.Service/Echo");
  ASSERT_TRUE(other.Start());
  GenericClientCall call(channel_, "/test.Service/Echo");
  ASSERT_TRUE(call.Start());
  call.Write(std::string(1001, 'x'));
  std::string text;
  EXPECT_FALSE(call.Read(&text));
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  ASSERT_TRUE(other.Write("unharmed"));
  ASSERT_TRUE(other.Read(&text));
  EXPECT_EQ(text, "unharmed");
}

TEST_F(ServerTest, WhileDrainingRefusesOnlyWhatSaysSo) {
  StartServer();
  EXPECT_TRUE(CallUnary(channel_, kRefused, "").status.ok());
  draining_.Start(absl::InfiniteFuture());
  const UnaryResult refused = CallUnary(channel_, kRefused, "");
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused.reason, "SERVER_DRAINING");
  EXPECT_NE(refused.status.error_details().find("google.rpc.RetryInfo"),
            std::string::npos);
  EXPECT_TRUE(CallUnary(channel_, kUnary, "").status.ok());
}

TEST_F(ServerTest, StopLetsOpenCallsEndWithinTheGrace) {
  StartServer();
  GenericClientCall call(channel_, kStream);
  ASSERT_TRUE(call.Start());
  ASSERT_TRUE(WaitFor(&probe_->started));
  std::thread stopping([this] { server_->Stop(absl::FromChrono(kPatience)); });
  probe_->call->Finish(MakeError(Reason::kServerDraining, "bye"));
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(call.Trailer("kelpmq-reason"), "SERVER_DRAINING");
  channel_.reset();
  stopping.join();
  EXPECT_TRUE(probe_->done.HasBeenNotified());
  EXPECT_FALSE(probe_->cancelled);
}

TEST_F(ServerTest, StopBreaksWhatOutlivesTheGrace) {
  StartServer();
  GenericClientCall call(channel_, kStream);
  ASSERT_TRUE(call.Start());
  ASSERT_TRUE(WaitFor(&probe_->started));
  server_->Stop(absl::ZeroDuration());
  EXPECT_TRUE(probe_->done.HasBeenNotified());
  EXPECT_TRUE(probe_->cancelled);
  EXPECT_FALSE(call.Finish().ok());
}

TEST_F(ServerTest, StopUnderLoadLosesNoHandler) {
  StartServer();
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([this] {
      auto channel = NewChannel(server_->addresses()[0]);
      while (CallUnary(channel, kUnary, "x").status.ok()) {
      }
    });
  }
  ASSERT_TRUE(CallUnary(channel_, kUnary, "x").status.ok());
  GenericClientCall call(channel_, kStream);
  ASSERT_TRUE(call.Start());
  ASSERT_TRUE(WaitFor(&probe_->started));
  server_->Stop(absl::Milliseconds(50));
  EXPECT_TRUE(probe_->done.HasBeenNotified());
  for (std::thread& client : clients) client.join();
}

TEST_F(ServerTest, PeerThatFallsSilentIsGivenUp) {
  options_.keepalive_time = absl::Milliseconds(200);
  options_.keepalive_timeout = absl::Milliseconds(200);
  StartServer();
  FreezingProxy proxy(server_->addresses()[0]);
  GenericClientCall call(NewChannel(proxy.address()), kStream);
  ASSERT_TRUE(call.Start());
  ASSERT_TRUE(WaitFor(&probe_->started));
  proxy.Freeze();
  ASSERT_TRUE(WaitFor(&probe_->done));
  EXPECT_TRUE(probe_->cancelled);
  call.Cancel();
}

TEST_F(ServerTest, CompressedRequestIsRead) {
  StartServer();
  GenericClientCall call(channel_, kUnary);
  call.context().set_compression_algorithm(GRPC_COMPRESS_GZIP);
  const std::string request(100'000, 'x');
  ASSERT_TRUE(call.Start());
  ASSERT_TRUE(call.Write(request));
  std::string response;
  ASSERT_TRUE(call.Read(&response));
  EXPECT_EQ(response, request);
}

TEST_F(ServerTest, PortInUseIsAnErrorThatNamesIt) {
  StartServer();
  ServerOptions options;
  options.listen = {server_->addresses()[0]};
  auto second = Server::Start(options, &methods_, &draining_);
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(second.status().message().find(server_->addresses()[0]),
            absl::string_view::npos);
  EXPECT_NE(second.status().message().find("in use"), absl::string_view::npos);
}

TEST_F(ServerTest, AddressThatIsNoneIsInvalid) {
  for (const char* address :
       {"", "localhost", "1.2.3.4:", ":50672", "127.0.0.1:65536", "::1:5",
        "[::1:5", "127.0.0.1:5x", "unix:", "unix-abstract:x"}) {
    ServerOptions options;
    options.listen = {address};
    EXPECT_EQ(Server::Start(options, &methods_, &draining_).status().code(),
              absl::StatusCode::kInvalidArgument)
        << address;
  }
}

TEST_F(ServerTest, ServesSeveralAddressesAtOnce) {
  const std::string path = SocketPath("several");
  options_.listen = {"127.0.0.1:0", "unix:" + path, "localhost:0"};
  StartServer();
  ASSERT_GE(server_->addresses().size(), 3u);
  for (const std::string& address : server_->addresses()) {
    EXPECT_TRUE(CallUnary(NewChannel(address), kUnary, "").status.ok())
        << address;
  }
}

TEST_F(ServerTest, StaleUnixSocketIsReplaced) {
  const std::string path = SocketPath("stale");
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  close(fd);
  options_.listen = {"unix:" + path};
  StartServer();
  EXPECT_TRUE(CallUnary(channel_, kUnary, "").status.ok());
  server_.reset();
  struct stat status;
  EXPECT_NE(stat(path.c_str(), &status), 0);  // taken away again
}

mode_t ModeOf(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

TEST_F(ServerTest, UnixSocketHasTheModeThatWasAskedFor) {
  const std::string path = SocketPath("mode");
  options_.listen = {"127.0.0.1:0", "unix:" + path};
  options_.socket_mode = 0620;
  const mode_t before = umask(0);  // which would let everybody in
  StartServer();
  EXPECT_EQ(umask(before), 0u) << "the umask was not restored";
  EXPECT_EQ(ModeOf(path), 0620u);
  EXPECT_TRUE(CallUnary(NewChannel("unix:" + path), kUnary, "").status.ok());
}

TEST_F(ServerTest, UnixSocketWithoutAModeFollowsTheUmask) {
  const std::string path = SocketPath("umask");
  options_.listen = {"unix:" + path};
  const mode_t before = umask(027);
  StartServer();
  umask(before);
  EXPECT_EQ(ModeOf(path), 0750u);
}

TEST_F(ServerTest, LiveUnixSocketIsAnError) {
  options_.listen = {"unix:" + SocketPath("live")};
  StartServer();
  auto second = Server::Start(options_, &methods_, &draining_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(CallUnary(channel_, kUnary, "").status.ok());
}

TEST_F(ServerTest, UnixSocketInAnAbsentFolderSaysWhy) {
  options_.listen = {"unix:" + SocketPath("absent") + "/socket"};
  const absl::Status status =
      Server::Start(options_, &methods_, &draining_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("No such file or directory"),
            absl::string_view::npos)
      << status;
}

TEST_F(ServerTest, AnAddressIsListenedOnOnce) {
  const std::string path = "unix:" + SocketPath("twice");
  for (const std::string& address : {path, std::string("127.0.0.1:1")}) {
    options_.listen = {address, address};
    EXPECT_EQ(Server::Start(options_, &methods_, &draining_).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  options_.listen = {"127.0.0.1:0", "127.0.0.1:0"};
  EXPECT_TRUE(Server::Start(options_, &methods_, &draining_).ok());
}

TEST_F(ServerTest, FileThatIsNoSocketIsNotTouched) {
  const std::string path = SocketPath("file");
  std::ofstream(path) << "precious";
  options_.listen = {"unix:" + path};
  EXPECT_EQ(Server::Start(options_, &methods_, &draining_).status().code(),
            absl::StatusCode::kUnavailable);
  std::string text;
  std::ifstream(path) >> text;
  EXPECT_EQ(text, "precious");
  unlink(path.c_str());
}

}  // namespace
}  // namespace kelpmq::service::testing
