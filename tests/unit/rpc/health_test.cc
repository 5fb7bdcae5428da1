#include "grpc/health/v1/health.pb.h"
#include "service/rpc/health_service.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace kelpmq::service::testing {
namespace {

namespace wire = ::grpc::health::v1;
using Response = wire::HealthCheckResponse;

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kWatch[] = "/grpc.health.v1.Health/Watch";

class Health : public RpcFixture {
 protected:
  Health() {
    RegisterHealth({"kelpmq.v1.AdminService"}, &draining_, &streams_,
                   &methods_);
    StartServer();
  }

  grpc::StatusCode Check(const std::string& service, Response* response) {
    wire::HealthCheckRequest request;
    request.set_service(service);
    return CallUnary(channel_, kCheck, request, response).status.error_code();
  }

  void StartWatch(const std::string& service, GenericClientCall* call) {
    wire::HealthCheckRequest request;
    request.set_service(service);
    ASSERT_TRUE(call->Start());
    ASSERT_TRUE(call->Write(request.SerializeAsString()));
    call->WritesDone();
  }

  void StartDraining() {
    draining_.Start(absl::InfiniteFuture());
    streams_.DrainAll(absl::InfiniteFuture());
  }
};

TEST_F(Health, CheckSaysServingUntilTheServerDrains) {
  Response response;
  for (const char* service : {"", "kelpmq.v1.AdminService"}) {
    EXPECT_EQ(Check(service, &response), grpc::StatusCode::OK);
    EXPECT_EQ(response.status(), Response::SERVING);
  }
  StartDraining();
  for (const char* service : {"", "kelpmq.v1.AdminService"}) {
    EXPECT_EQ(Check(service, &response), grpc::StatusCode::OK);
    EXPECT_EQ(response.status(), Response::NOT_SERVING);
  }
}

TEST_F(Health, CheckOfAnUnknownServiceIsNotFound) {
  Response response;
  EXPECT_EQ(Check("nothing", &response), grpc::StatusCode::NOT_FOUND);
}

TEST_F(Health, WatchTellsTheStateAndItsChange) {
  GenericClientCall call(channel_, kWatch);
  StartWatch("", &call);
  Response response;
  ASSERT_TRUE(call.Read(&response));
  EXPECT_EQ(response.status(), Response::SERVING);
  StartDraining();
  ASSERT_TRUE(call.Read(&response));
  EXPECT_EQ(response.status(), Response::NOT_SERVING);
}

TEST_F(Health, WatchOfAnUnknownServiceStaysOpen) {
  GenericClientCall call(channel_, kWatch);
  StartWatch("nothing", &call);
  Response response;
  ASSERT_TRUE(call.Read(&response));
  EXPECT_EQ(response.status(), Response::SERVICE_UNKNOWN);
  streams_.EndAllForDrain();
  EXPECT_FALSE(call.Read(&response));
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(Health, WatchDoesNotHoldADrainUp) {
  GenericClientCall call(channel_, kWatch);
  StartWatch("", &call);
  Response response;
  ASSERT_TRUE(call.Read(&response));
  EXPECT_EQ(streams_.WaitedForCount(), 0u);
}

TEST_F(Health, WatchWithMalformedRequestEnds) {
  GenericClientCall call(channel_, kWatch);
  ASSERT_TRUE(call.Start());
  call.Write("\x0a\x05");
  Response response;
  EXPECT_FALSE(call.Read(&response));
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(call.Trailer("kelpmq-reason"), "MALFORMED_REQUEST");
}

}  // namespace
}  // namespace kelpmq::service::testing
