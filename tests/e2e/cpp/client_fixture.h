#ifndef KELPMQ_TESTS_E2E_CPP_CLIENT_FIXTURE_H_
#define KELPMQ_TESTS_E2E_CPP_CLIENT_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "kelpmq/client.h"
#include "service/base/mutex.h"
#include "tests/e2e/cpp/broker_process.h"

namespace kelpmq::testing {

// How long a test waits for what must happen.
constexpr absl::Duration kPatience = absl::Seconds(30);

// Things that other threads add, and a test waits for. Thread-safe.
template <typename T>
class Collected {
 public:
  void Add(T value) {
    service::MutexLock lock(&mu_);
    values_.push_back(std::move(value));
    changed_.NotifyAll();
  }
  // Waits until `enough` says so of all that came, and gives it; fails the
  // test if it takes too long.
  std::vector<T> Await(std::function<bool(const std::vector<T>&)> enough) {
    const absl::Time deadline = absl::Now() + kPatience;
    service::MutexLock lock(&mu_);
    while (!enough(values_)) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) {
        ADD_FAILURE() << "waited in vain; came: " << values_.size();
        break;
      }
      changed_.WaitFor(&mu_, left);
    }
    return values_;
  }
  std::vector<T> AwaitCount(size_t count) {
    return Await([count](const std::vector<T>& values) {
      return values.size() >= count;
    });
  }
  // One that may be moved only.
  T Take() {
    const absl::Time deadline = absl::Now() + kPatience;
    service::MutexLock lock(&mu_);
    while (values_.empty() && absl::Now() < deadline) {
      changed_.WaitFor(&mu_, deadline - absl::Now());
    }
    EXPECT_FALSE(values_.empty()) << "waited in vain";
    T first = std::move(values_.front());
    values_.erase(values_.begin());
    return first;
  }

 private:
  service::Mutex mu_;
  service::CondVar changed_;
  std::vector<T> values_;
};

// A broker process and a client of it.
class ClientTest : public ::testing::Test {
 protected:
  // With short waits between attempts to come back.
  ClientOptions Options() {
    ClientOptions options;
    options.address = broker_.address();
    options.backoff.initial = absl::Milliseconds(20);
    options.backoff.max = absl::Milliseconds(200);
    options.on_event = [this](const ClientEvent& event) {
      events_.Add(event.kind);
    };
    return options;
  }
  std::unique_ptr<Client> Connect(ClientOptions options) {
    auto client = Client::Connect(std::move(options));
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }
  std::unique_ptr<Client> Connect() { return Connect(Options()); }
  void AwaitEvent(ClientEvent::Kind kind) {
    events_.Await([kind](const std::vector<ClientEvent::Kind>& kinds) {
      return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
    });
  }

  BrokerProcess broker_;
  Collected<ClientEvent::Kind> events_;
};

}  // namespace kelpmq::testing

#endif  // KELPMQ_TESTS_E2E_CPP_CLIENT_FIXTURE_H_
