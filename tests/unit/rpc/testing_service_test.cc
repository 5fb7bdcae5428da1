#include <gtest/gtest.h>

#include "kelpmq/v1/testing.grpc.pb.h"
#include "kelpmq/v1/topology.grpc.pb.h"
#include "tests/testing/broker_fixture.h"

namespace kelpmq::service::testing {
namespace {

// A broker as `kelpmq serve --manual-clock` starts it.
class TestingServiceTest : public BrokerFixture {
 protected:
  TestingServiceTest() {
    options_.engine_clock = nullptr;
    options_.engine_timers = nullptr;
    options_.manual_clock = true;
  }

  int64_t AdvanceSeconds(int64_t by) {
    v1::AdvanceClockRequest request;
    request.mutable_by()->set_seconds(by);
    const auto result = Call(&Testing::AdvanceClock, request);
    EXPECT_EQ(result.reason, "OK");
    return result->current_time().seconds();
  }
  std::string ReasonOfGetQueue(const std::string& name) {
    v1::GetQueueRequest request;
    request.set_name(name);
    return Call(&Topology::GetQueue, request).reason;
  }
};

TEST_F(TestingServiceTest, MovesTheClockAndRunsWhatFallsDue) {
  v1::DeclareQueueRequest declare;
  declare.set_name("q");
  declare.mutable_options()->set_expires_ms(10'000);
  ASSERT_EQ(Call(&Topology::DeclareQueue, declare).reason, "OK");
  const int64_t start = AdvanceSeconds(0);
  EXPECT_EQ(AdvanceSeconds(9), start + 9);
  EXPECT_EQ(ReasonOfGetQueue("q"), "OK");
  EXPECT_EQ(AdvanceSeconds(1), start + 10);
  EXPECT_EQ(ReasonOfGetQueue("q"), "QUEUE_NOT_FOUND");
}

TEST_F(TestingServiceTest, DoesNotMoveBackwards) {
  v1::AdvanceClockRequest request;
  request.mutable_by()->set_seconds(-1);
  EXPECT_EQ(Call(&Testing::AdvanceClock, request).reason, "INVALID_VALUE");
}

}  // namespace
}  // namespace kelpmq::service::testing
