#ifndef KELPMQ_CLIENT_CPP_SRC_TOPOLOGY_RECORD_H_
#define KELPMQ_CLIENT_CPP_SRC_TOPOLOGY_RECORD_H_

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "kelpmq/v1/topology.pb.h"

namespace kelpmq::client {

// What was declared through a client and has to be declared again after a
// reconnect. Thread-safety: thread-compatible.
class TopologyRecord {
 public:
  // One declaration, to be repeated in this order: exchanges, queues, bindings.
  struct Step {
    std::variant<v1::DeclareExchangeRequest, v1::DeclareQueueRequest,
                 v1::BindQueueRequest, v1::BindExchangeRequest>
        request;
    std::string resource;  // what an error is about
  };

  void Declared(const v1::DeclareExchangeRequest& request);
  // `name`: the queue's, also if the broker made it.
  void Declared(const v1::DeclareQueueRequest& request,
                const std::string& name);
  void Bound(const v1::BindQueueRequest& request);
  void Bound(const v1::BindExchangeRequest& request);

  // These forget; an exchange's or a queue's bindings go with it.
  void DeletedExchange(const std::string& name);
  void DeletedQueue(const std::string& name);
  void Unbound(const v1::BindQueueRequest& binding);
  void Unbound(const v1::BindExchangeRequest& binding);

  // A queue that the broker names got another name: bindings follow.
  void Renamed(const std::string& from, const std::string& to);
  // What a queue is called now that was called `name` once.
  std::string CurrentName(const std::string& name) const;

  std::vector<Step> Steps() const;

 private:
  // By name; the request of a queue that the broker names has none.
  std::map<std::string, v1::DeclareExchangeRequest> exchanges_;
  std::map<std::string, v1::DeclareQueueRequest> queues_;
  std::vector<v1::BindQueueRequest> queue_bindings_;
  std::vector<v1::BindExchangeRequest> exchange_bindings_;
  std::map<std::string, std::string> renamed_;
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_TOPOLOGY_RECORD_H_
