#ifndef KELPMQ_MOCKS_MOCK_CLIENT_H_
#define KELPMQ_MOCKS_MOCK_CLIENT_H_

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kelpmq/client.h"

// GoogleMock classes for the interfaces of kelpmq/client.h, to test programs
// without a broker. Link kelpmq::mocks and GTest::gmock.
namespace kelpmq::mocks {

class MockSettler : public Settler {
 public:
  MOCK_METHOD(absl::Status, Settle, (uint64_t, v1::SettleAction), (override));
  MOCK_METHOD(void, Abandon, (uint64_t), (override));
};

class MockPublisher : public Publisher {
 public:
  using Publisher::Publish;

  MOCK_METHOD(absl::Status, Publish, (Publication, ConfirmCallback),
              (override));
  MOCK_METHOD(absl::Status, TryPublish, (Publication&, ConfirmCallback&),
              (override));
  MOCK_METHOD(absl::Status, Flush, (absl::Duration), (override));
  MOCK_METHOD(void, Close, (), (override));
};

class MockConsumer : public Consumer {
 public:
  MOCK_METHOD(void, Cancel, (), (override));
  MOCK_METHOD(absl::Status, Flush, (absl::Duration), (override));
  MOCK_METHOD(absl::Status, status, (), (const, override));
  MOCK_METHOD(std::string, queue, (), (const, override));
  MOCK_METHOD(std::string, consumer_tag, (), (const, override));
};

class MockClient : public Client {
 public:
  using Client::Consume;
  using Client::Get;
  using Client::NewPublisher;

  MOCK_METHOD(Topology&, topology, (), (override));
  MOCK_METHOD(std::unique_ptr<Publisher>, NewPublisher, (PublisherOptions),
              (override));
  MOCK_METHOD(absl::StatusOr<std::unique_ptr<Consumer>>, Consume,
              (ConsumerOptions, DeliveryHandler), (override));
  MOCK_METHOD(absl::StatusOr<std::vector<Delivery>>, Get,
              (const std::string&, GetOptions), (override));
  MOCK_METHOD(absl::StatusOr<v1::GetServerInfoResponse>, ServerInfo, (),
              (override));
};

// A delivery as a handler under test gets it.
inline Delivery MakeDelivery(std::string body,
                             std::shared_ptr<Settler> settler = nullptr,
                             uint64_t delivery_tag = 1) {
  v1::Delivery delivery;
  delivery.set_delivery_tag(delivery_tag);
  delivery.mutable_message()->set_body(std::move(body));
  return Delivery(std::move(delivery), std::move(settler));
}

}  // namespace kelpmq::mocks

#endif  // KELPMQ_MOCKS_MOCK_CLIENT_H_
