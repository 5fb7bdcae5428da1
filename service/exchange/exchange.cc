#include "service/exchange/exchange.h"

#include <utility>

#include "service/base/message_wire.h"
#include "service/exchange/direct_exchange.h"
#include "service/exchange/fanout_exchange.h"
#include "service/exchange/headers_exchange.h"
#include "service/exchange/topic_exchange.h"

namespace kelpmq::service {

RoutingInput::RoutingInput(const Message& message)
    : message_(&message), keys_{message.routing_key()} {
  if (message.facts().has_sender_keys) AddSenderKeys();
}

RoutingInput::RoutingInput(absl::string_view routing_key, Table headers)
    : headers_(std::move(headers)), keys_{routing_key} {
  AddSenderKeys();
}

void RoutingInput::AddSenderKeys() {
  sender_keys_ = SenderKeys(headers());
  for (const std::string& key : sender_keys_) keys_.push_back(key);
}

const Table& RoutingInput::headers() {
  if (!headers_.has_value()) {
    headers_ = message_->facts().has_headers
                   ? DecodeHeaders(message_->encoded())
                   : Table();
  }
  return *headers_;
}

void RouteList::AddAll(const DestinationSet& destinations) {
  const bool first_queues = queues_.members.empty();
  for (size_t i = 0; i < destinations.size(); ++i) {
    const Destination* const destination = destinations[i];
    if (first_queues && destination->is_queue()) {
      // All are distinct, and there were none before: nothing to look for.
      queues_.members.push_back(destination);
      ++matches_;
    } else {
      Add(destination);
    }
  }
}

void RouteList::Distinct::Add(const Destination* destination) {
  if (members.size() <= kMaxLinear) {
    for (const Destination* member : members) {
      if (member == destination) return;
    }
    members.push_back(destination);
    return;
  }
  if (index.empty()) index.insert(members.begin(), members.end());
  if (index.insert(destination).second) members.push_back(destination);
}

std::unique_ptr<Exchange> MakeExchange(absl::string_view type) {
  if (type == "direct") return std::make_unique<DirectExchange>();
  if (type == "fanout") return std::make_unique<FanoutExchange>();
  if (type == "topic") return std::make_unique<TopicExchange>();
  if (type == "headers") return std::make_unique<HeadersExchange>();
  return nullptr;
}

}  // namespace kelpmq::service
