#ifndef KELPMQ_CLIENT_CPP_SRC_TOPOLOGY_CLIENT_H_
#define KELPMQ_CLIENT_CPP_SRC_TOPOLOGY_CLIENT_H_

#include <string>
#include <vector>

#include "client/cpp/src/connection.h"
#include "client/cpp/src/session.h"
#include "client/cpp/src/topology_record.h"
#include "kelpmq/topology.h"
#include "service/base/mutex.h"

namespace kelpmq::client {

// Topology by calls of TopologyService; remembers what to restore.
// Thread-safety: thread-safe.
class TopologyClient final : public Topology {
 public:
  // Both must outlive it.
  TopologyClient(Connection* connection, Session* session)
      : connection_(connection), session_(session) {}

  absl::StatusOr<v1::Exchange> DeclareExchange(
      const ExchangeSpec& spec) override;
  absl::StatusOr<v1::Queue> DeclareQueue(const QueueSpec& spec) override;
  absl::Status BindQueue(const BindingSpec& spec) override;
  absl::Status BindExchange(const BindingSpec& spec) override;
  absl::Status DeleteExchange(const std::string& name,
                              IfUnused if_unused) override;
  absl::StatusOr<uint64_t> DeleteQueue(const std::string& name,
                                       IfUnused if_unused,
                                       IfEmpty if_empty) override;
  absl::Status UnbindQueue(const BindingSpec& spec) override;
  absl::Status UnbindExchange(const BindingSpec& spec) override;
  absl::StatusOr<uint64_t> PurgeQueue(const std::string& name) override;
  absl::StatusOr<v1::Exchange> GetExchange(const std::string& name) override;
  absl::StatusOr<v1::Queue> GetQueue(const std::string& name) override;
  absl::StatusOr<std::vector<v1::Exchange>> ListExchanges(
      const std::string& name_prefix) override;
  absl::StatusOr<std::vector<v1::Queue>> ListQueues(
      const std::string& name_prefix) override;
  absl::StatusOr<std::vector<v1::Binding>> ListBindings(
      const BindingFilter& filter) override;
  absl::StatusOr<std::vector<v1::ConsumerInfo>> ListConsumers(
      const std::string& queue) override;

  // For recovery.
  std::vector<TopologyRecord::Step> StepsToRestore() const;
  void Renamed(const std::string& from, const std::string& to);
  std::string CurrentName(const std::string& queue) const;

 private:
  const std::string& vhost() const { return connection_->options().vhost; }
  template <typename Response>
  absl::StatusOr<Response> Call(const char* method,
                                const google::protobuf::MessageLite& request);
  template <typename Response, typename Request, typename Item>
  absl::StatusOr<std::vector<Item>> List(
      const char* method, Request request,
      google::protobuf::RepeatedPtrField<Item>* (Response::*items)());

  Connection* const connection_;
  Session* const session_;
  mutable service::Mutex mu_;
  TopologyRecord record_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_TOPOLOGY_CLIENT_H_
