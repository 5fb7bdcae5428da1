#include "service/exchange/exchange.h"

#include "service/base/message_edit.h"
#include "service/base/message_wire.h"

namespace kelpmq::service {

RoutingInput::RoutingInput(const Message& message)
    : message_(message), keys_{message.routing_key()} {
  if (!message.marks().has_sender_keys) return;
  headers_ = DecodeHeaders(message.encoded());
  headers_->merge(DecodeHeaders(message.hidden_header()));
  sender_keys_ = SenderKeys(*headers_);
  for (const std::string& key : sender_keys_) keys_.push_back(key);
  headers_->erase(std::string(kBccHeader));
}

const Table& RoutingInput::headers() {
  if (!headers_.has_value()) {
    headers_ = message_.marks().has_headers ? DecodeHeaders(message_.encoded())
                                            : Table();
  }
  return *headers_;
}

std::optional<int64_t> RoutingInput::delay() {
  if (!message_.marks().has_delay) return std::nullopt;
  return DelayOf(headers());
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

}  // namespace kelpmq::service
