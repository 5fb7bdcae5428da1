#ifndef KELPMQ_TESTS_UNIT_RPC_RPC_FIXTURE_H_
#define KELPMQ_TESTS_UNIT_RPC_RPC_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "service/rpc/draining.h"
#include "service/rpc/server.h"
#include "service/rpc/stream_registry.h"
#include "tests/testing/generic_client.h"

namespace kelpmq::service::testing {

// A real server on a port of its own for whatever methods a test adds.
class RpcFixture : public ::testing::Test {
 protected:
  RpcFixture() {
    options_.listen = {"127.0.0.1:0"};
    options_.io_threads = 2;
  }

  // After all methods were added.
  void StartServer() {
    auto server = Server::Start(options_, &methods_, &draining_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = NewChannel(server_->addresses()[0]);
  }

  ServerOptions options_;
  MethodTable methods_;
  Draining draining_;
  StreamRegistry streams_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// What a ProbeHandler has seen; shared with the test.
struct Probe {
  CallRef call;  // set before `started`
  absl::Notification started;
  absl::Notification read_failed;
  absl::Notification write_failed;
  absl::Notification done;
  bool cancelled = false;  // set before `done`
};

// Reads and writes only when the test says so, through Probe::call.
class ProbeHandler : public CallHandler {
 public:
  explicit ProbeHandler(std::shared_ptr<Probe> probe)
      : probe_(std::move(probe)) {}

  void OnStart(CallRef call) override {
    probe_->call = std::move(call);
    probe_->started.Notify();
  }
  void OnReadDone(bool ok, grpc::ByteBuffer message) override {
    if (!ok) probe_->read_failed.Notify();
  }
  void OnWriteDone(bool ok) override {
    if (!ok && !probe_->write_failed.HasBeenNotified()) {
      probe_->write_failed.Notify();
    }
  }
  void OnDone(bool cancelled) override {
    probe_->cancelled = cancelled;
    probe_->done.Notify();
  }

 private:
  const std::shared_ptr<Probe> probe_;
};

inline bool WaitFor(absl::Notification* notification) {
  return notification->WaitForNotificationWithTimeout(
      absl::FromChrono(kPatience));
}

// Sends back what it reads, one message at a time, and ends with the client.
class EchoHandler : public CallHandler {
 public:
  void OnStart(CallRef call) override {
    call_ = std::move(call);
    call_->Read();
  }
  void OnReadDone(bool ok, grpc::ByteBuffer message) override {
    if (ok) {
      call_->Write(std::move(message));
    } else {
      call_->Finish(absl::OkStatus());
    }
  }
  void OnWriteDone(bool ok) override {
    if (ok) call_->Read();
  }
  void OnDone(bool cancelled) override {}

 private:
  CallRef call_;
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_UNIT_RPC_RPC_FIXTURE_H_
