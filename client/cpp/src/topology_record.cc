#include "client/cpp/src/topology_record.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"

namespace kelpmq::client {
namespace {

using google::protobuf::util::MessageDifferencer;

template <typename Binding>
void AddOnce(std::vector<Binding>* bindings, const Binding& added) {
  for (const Binding& binding : *bindings) {
    if (MessageDifferencer::Equals(binding, added)) return;
  }
  bindings->push_back(added);
}

template <typename Binding, typename Predicate>
void RemoveIf(std::vector<Binding>* bindings, Predicate predicate) {
  bindings->erase(std::remove_if(bindings->begin(), bindings->end(), predicate),
                  bindings->end());
}

template <typename Binding>
void Remove(std::vector<Binding>* bindings, const Binding& removed) {
  RemoveIf(bindings, [&removed](const Binding& binding) {
    return MessageDifferencer::Equals(binding, removed);
  });
}

}  // namespace

void TopologyRecord::Declared(const v1::DeclareExchangeRequest& request) {
  exchanges_[request.name()] = request;
}

void TopologyRecord::Declared(const v1::DeclareQueueRequest& request,
                              const std::string& name) {
  queues_[name] = request;
}

void TopologyRecord::Bound(const v1::BindQueueRequest& request) {
  AddOnce(&queue_bindings_, request);
}

void TopologyRecord::Bound(const v1::BindExchangeRequest& request) {
  AddOnce(&exchange_bindings_, request);
}

void TopologyRecord::DeletedExchange(const std::string& name) {
  exchanges_.erase(name);
  RemoveIf(&queue_bindings_, [&name](const v1::BindQueueRequest& binding) {
    return binding.exchange() == name;
  });
  RemoveIf(&exchange_bindings_,
           [&name](const v1::BindExchangeRequest& binding) {
             return binding.source() == name || binding.destination() == name;
           });
}

void TopologyRecord::DeletedQueue(const std::string& name) {
  queues_.erase(name);
  RemoveIf(&queue_bindings_, [&name](const v1::BindQueueRequest& binding) {
    return binding.queue() == name;
  });
}

void TopologyRecord::Unbound(const v1::BindQueueRequest& binding) {
  Remove(&queue_bindings_, binding);
}

void TopologyRecord::Unbound(const v1::BindExchangeRequest& binding) {
  Remove(&exchange_bindings_, binding);
}

void TopologyRecord::Renamed(const std::string& from, const std::string& to) {
  if (from == to) return;
  if (auto queue = queues_.extract(from)) {
    queue.key() = to;
    queues_.insert(std::move(queue));
  }
  for (v1::BindQueueRequest& binding : queue_bindings_) {
    if (binding.queue() == from) binding.set_queue(to);
  }
  // Earlier names lead to the newest in one step.
  for (auto& [old_name, new_name] : renamed_) {
    if (new_name == from) new_name = to;
  }
  renamed_[from] = to;
}

std::string TopologyRecord::CurrentName(const std::string& name) const {
  const auto renamed = renamed_.find(name);
  return renamed == renamed_.end() ? name : renamed->second;
}

std::vector<TopologyRecord::Step> TopologyRecord::Steps() const {
  std::vector<Step> steps;
  for (const auto& [name, request] : exchanges_) {
    steps.push_back({request, name});
  }
  for (const auto& [name, request] : queues_) steps.push_back({request, name});
  for (const v1::BindExchangeRequest& binding : exchange_bindings_) {
    steps.push_back({binding, absl::StrCat(binding.source(), " -> ",
                                           binding.destination())});
  }
  for (const v1::BindQueueRequest& binding : queue_bindings_) {
    steps.push_back(
        {binding, absl::StrCat(binding.exchange(), " -> ", binding.queue())});
  }
  return steps;
}

}  // namespace kelpmq::client
