#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>

#include "grpc/channelz/v1/channelz.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "service/rpc/channelz_service.h"
#include "service/rpc/reflection_service.h"
#include "service/rpc/service_names.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace kelpmq::service::testing {
namespace {

namespace wire = ::grpc::reflection::v1;
using ::testing::Contains;
using ::testing::Not;

class Reflection : public RpcFixture,
                   public ::testing::WithParamInterface<const char*> {
 protected:
  Reflection() {
    RegisterReflection(ServedServiceNames(/*testing=*/false), &streams_,
                       &methods_);
    StartServer();
    call_ = std::make_unique<GenericClientCall>(
        channel_, std::string("/grpc.reflection.") + GetParam() +
                      ".ServerReflection/ServerReflectionInfo");
    EXPECT_TRUE(call_->Start());
  }

  wire::ServerReflectionResponse Ask(
      const wire::ServerReflectionRequest& request) {
    wire::ServerReflectionResponse response;
    EXPECT_TRUE(call_->Write(request.SerializeAsString()));
    EXPECT_TRUE(call_->Read(&response));
    EXPECT_EQ(response.original_request().SerializeAsString(),
              request.SerializeAsString());
    return response;
  }

  std::unique_ptr<GenericClientCall> call_;
};

INSTANTIATE_TEST_SUITE_P(Versions, Reflection,
                         ::testing::Values("v1", "v1alpha"));

TEST_P(Reflection, ListsAllServices) {
  wire::ServerReflectionRequest request;
  request.set_list_services("*");
  const wire::ServerReflectionResponse response = Ask(request);
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  for (const char* name :
       {"kelpmq.v1.MessagingService", "kelpmq.v1.TopologyService",
        "kelpmq.v1.SessionService", "kelpmq.v1.AdminService",
        "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "grpc.channelz.v1.Channelz"}) {
    EXPECT_THAT(names, Contains(name));
  }
  EXPECT_THAT(names, Not(Contains("kelpmq.v1.TestingService")));
}

TEST_P(Reflection, FilesOfASymbolAreCompleteAndLoadable) {
  for (const std::string& service : ServedServiceNames(/*testing=*/true)) {
    wire::ServerReflectionRequest request;
    request.set_file_containing_symbol(service);
    const wire::ServerReflectionResponse response = Ask(request);
    google::protobuf::SimpleDescriptorDatabase files;
    for (const std::string& bytes :
         response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      ASSERT_TRUE(file.ParseFromString(bytes));
      ASSERT_TRUE(files.Add(file));  // false: sent twice
    }
    google::protobuf::DescriptorPool pool(&files);
    EXPECT_NE(pool.FindServiceByName(service), nullptr) << service;
  }
}

TEST_P(Reflection, FindsFilesByName) {
  wire::ServerReflectionRequest request;
  request.set_file_by_filename("kelpmq/v1/types.proto");
  EXPECT_GT(
      Ask(request).file_descriptor_response().file_descriptor_proto_size(), 0);
}

TEST_P(Reflection, UnknownNamesAreNotFoundAndTheStreamGoesOn) {
  wire::ServerReflectionRequest request;
  request.set_file_by_filename("no/such.proto");
  EXPECT_EQ(Ask(request).error_response().error_code(), 5);
  request.set_file_containing_symbol("no.such.Symbol");
  EXPECT_EQ(Ask(request).error_response().error_code(), 5);
  request.mutable_file_containing_extension()->set_containing_type("No");
  EXPECT_EQ(Ask(request).error_response().error_code(), 5);
  request.set_all_extension_numbers_of_type("No");
  EXPECT_EQ(Ask(request).error_response().error_code(), 5);
  request.set_all_extension_numbers_of_type("google.protobuf.Any");
  EXPECT_EQ(Ask(request).all_extension_numbers_response().base_type_name(),
            "google.protobuf.Any");
  request.clear_message_request();
  EXPECT_EQ(Ask(request).error_response().error_code(), 3);
}

TEST_P(Reflection, EndsWithItsClient) {
  call_->WritesDone();
  EXPECT_TRUE(call_->Finish().ok());
}

class Channelz : public RpcFixture {
 protected:
  Channelz() {
    RegisterChannelz(&methods_);
    StartServer();
  }

  template <typename Response, typename Request>
  grpc::StatusCode Query(const char* name, const Request& request,
                         Response* response) {
    return CallUnary(channel_,
                     std::string("/grpc.channelz.v1.Channelz/") + name, request,
                     response)
        .status.error_code();
  }
};

TEST_F(Channelz, TellsOfServersAndTheirSockets) {
  namespace channelz = ::grpc::channelz::v1;
  channelz::GetServersResponse servers;
  ASSERT_EQ(Query("GetServers", channelz::GetServersRequest(), &servers),
            grpc::StatusCode::OK);
  ASSERT_GE(servers.server_size(), 1);
  const int64_t id =
      servers.server(servers.server_size() - 1).ref().server_id();

  channelz::GetServerRequest server_request;
  server_request.set_server_id(id);
  channelz::GetServerResponse server;
  ASSERT_EQ(Query("GetServer", server_request, &server), grpc::StatusCode::OK);
  EXPECT_GE(server.server().data().calls_started(), 1);

  channelz::GetServerSocketsRequest sockets_request;
  sockets_request.set_server_id(id);
  channelz::GetServerSocketsResponse sockets;
  ASSERT_EQ(Query("GetServerSockets", sockets_request, &sockets),
            grpc::StatusCode::OK);
  ASSERT_GE(sockets.socket_ref_size(), 1);

  channelz::GetSocketRequest socket_request;
  socket_request.set_socket_id(sockets.socket_ref(0).socket_id());
  channelz::GetSocketResponse socket;
  ASSERT_EQ(Query("GetSocket", socket_request, &socket), grpc::StatusCode::OK);
  EXPECT_GE(socket.socket().data().streams_started(), 1);

  channelz::GetTopChannelsResponse channels;
  EXPECT_EQ(
      Query("GetTopChannels", channelz::GetTopChannelsRequest(), &channels),
      grpc::StatusCode::OK);
}

TEST_F(Channelz, UnknownIdsAreNotFound) {
  namespace channelz = ::grpc::channelz::v1;
  channelz::GetServerRequest request;
  request.set_server_id(1 << 30);
  channelz::GetServerResponse response;
  EXPECT_EQ(Query("GetServer", request, &response),
            grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace kelpmq::service::testing
