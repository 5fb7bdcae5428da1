#ifndef KELPMQ_TESTS_TESTING_BROKER_FIXTURE_H_
#define KELPMQ_TESTS_TESTING_BROKER_FIXTURE_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "kelpmq/v1/admin.grpc.pb.h"
#include "kelpmq/v1/messaging.grpc.pb.h"
#include "kelpmq/v1/session.grpc.pb.h"
#include "kelpmq/v1/testing.grpc.pb.h"
#include "kelpmq/v1/topology.grpc.pb.h"
#include "service/base/timer_queue.h"
#include "service/broker.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/generic_client.h"
#include "tests/testing/manual_executor.h"

namespace kelpmq::service::testing {

using Admin = v1::AdminService::Stub;
using Messaging = v1::MessagingService::Stub;
using Session = v1::SessionService::Stub;
using Testing = v1::TestingService::Stub;
using Topology = v1::TopologyService::Stub;

// How a unary call came out.
template <typename Response>
struct CallResult {
  grpc::Status status;
  std::string reason;     // "OK", or what the trailer kelpmq-reason says
  std::string amqp_code;  // of the trailer kelpmq-amqp-code
  Response response;

  bool ok() const { return status.ok(); }
  const Response* operator->() const { return &response; }
};

// "OK" or the reason in the trailers of a call that has ended.
std::string ReasonOfCall(const grpc::ClientContext& context,
                         const grpc::Status& status);

// A context whose call gives up after kPatience.
std::unique_ptr<grpc::ClientContext> NewContext();

// A broker in this process, on a port of its own, and a channel to it. The
// time of queues, sessions and leases stands still until the test moves it.
class BrokerFixture : public ::testing::Test {
 protected:
  BrokerFixture();
  ~BrokerFixture() override;

  // Starts the broker; a test that needs other options sets them in its
  // constructor.
  void SetUp() override;

  // A unary call by generated stub:
  //   auto queue = Call(&Topology::DeclareQueue, request);
  //   EXPECT_EQ(queue.reason, "OK");
  template <typename Stub, typename Request, typename Response>
  CallResult<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                         const Request&,
                                                         Response*),
                            const Request& request) {
    Stub stub(channel_);
    const auto context = NewContext();
    CallResult<Response> result;
    result.status = (stub.*method)(context.get(), request, &result.response);
    result.reason = ReasonOfCall(*context, result.status);
    const auto& trailers = context->GetServerTrailingMetadata();
    if (auto it = trailers.find("kelpmq-amqp-code"); it != trailers.end()) {
      result.amqp_code.assign(it->second.data(), it->second.size());
    }
    return result;
  }

  // Moves the engine's time and returns when all that fell due has happened.
  void Advance(absl::Duration by);

  const std::string& address() const { return broker_->addresses()[0]; }

  FakeClock clock_;
  ManualExecutor executor_;
  TimerQueue timers_{&clock_, &executor_};
  BrokerOptions options_;
  std::unique_ptr<Broker> broker_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_BROKER_FIXTURE_H_
