#ifndef KELPMQ_MOCKS_MOCK_TOPOLOGY_H_
#define KELPMQ_MOCKS_MOCK_TOPOLOGY_H_

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "kelpmq/topology.h"

namespace kelpmq::mocks {

class MockTopology : public Topology {
 public:
  using Topology::DeclareQueue;
  using Topology::ListBindings;

  MOCK_METHOD(absl::StatusOr<v1::Exchange>, DeclareExchange,
              (const ExchangeSpec&), (override));
  MOCK_METHOD(absl::StatusOr<v1::Queue>, DeclareQueue, (const QueueSpec&),
              (override));
  MOCK_METHOD(absl::Status, BindQueue, (const BindingSpec&), (override));
  MOCK_METHOD(absl::Status, BindExchange, (const BindingSpec&), (override));
  MOCK_METHOD(absl::Status, DeleteExchange, (const std::string&, IfUnused),
              (override));
  MOCK_METHOD(absl::StatusOr<uint64_t>, DeleteQueue,
              (const std::string&, IfUnused, IfEmpty), (override));
  MOCK_METHOD(absl::Status, UnbindQueue, (const BindingSpec&), (override));
  MOCK_METHOD(absl::Status, UnbindExchange, (const BindingSpec&), (override));
  MOCK_METHOD(absl::StatusOr<uint64_t>, PurgeQueue, (const std::string&),
              (override));
  MOCK_METHOD(absl::StatusOr<v1::Exchange>, GetExchange, (const std::string&),
              (override));
  MOCK_METHOD(absl::StatusOr<v1::Queue>, GetQueue, (const std::string&),
              (override));
  MOCK_METHOD(absl::StatusOr<std::vector<v1::Exchange>>, ListExchanges,
              (const std::string&), (override));
  MOCK_METHOD(absl::StatusOr<std::vector<v1::Queue>>, ListQueues,
              (const std::string&), (override));
  MOCK_METHOD(absl::StatusOr<std::vector<v1::Binding>>, ListBindings,
              (const BindingFilter&), (override));
  MOCK_METHOD(absl::StatusOr<std::vector<v1::ConsumerInfo>>, ListConsumers,
              (const std::string&), (override));
};

}  // namespace kelpmq::mocks

#endif  // KELPMQ_MOCKS_MOCK_TOPOLOGY_H_
