#include "tests/testing/broker_fixture.h"

namespace kelpmq::service::testing {

std::string ReasonOfCall(const grpc::ClientContext& context,
                         const grpc::Status& status) {
  if (status.ok()) return "OK";
  const auto& trailers = context.GetServerTrailingMetadata();
  auto it = trailers.find("kelpmq-reason");
  if (it == trailers.end()) return "no reason: " + status.error_message();
  return std::string(it->second.data(), it->second.size());
}

std::unique_ptr<grpc::ClientContext> NewContext() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + kPatience);
  return context;
}

BrokerFixture::BrokerFixture() {
  options_.server.listen = {"127.0.0.1:0"};
  options_.server.io_threads = 2;
  options_.engine_clock = &clock_;
  options_.engine_timers = &timers_;
}

BrokerFixture::~BrokerFixture() = default;

void BrokerFixture::SetUp() {
  auto broker = Broker::Start(options_);
  ASSERT_TRUE(broker.ok()) << broker.status();
  broker_ = *std::move(broker);
  channel_ = NewChannel(address());
}

void BrokerFixture::Advance(absl::Duration by) {
  clock_.Advance(by);
  // What ran may have set timers that are due as well.
  do {
    executor_.RunAll();
  } while (timers_.RunDue() > 0);
}

}  // namespace kelpmq::service::testing
