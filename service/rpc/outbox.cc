#include "service/rpc/outbox.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kelpmq::service {

void Outbox::AddDeliveries(std::vector<TaggedDelivery> deliveries) {
  if (deliveries.empty()) return;
  if (entries_.empty() || entries_.back().deliveries.empty()) {
    entries_.emplace_back().deliveries = std::move(deliveries);
    return;
  }
  std::vector<TaggedDelivery>& gathered = entries_.back().deliveries;
  gathered.insert(gathered.end(), std::make_move_iterator(deliveries.begin()),
                  std::make_move_iterator(deliveries.end()));
}

void Outbox::AddReply(grpc::ByteBuffer reply, std::vector<uint64_t> ack_tags) {
  Response& entry = entries_.emplace_back();
  entry.reply = std::move(reply);
  entry.ack_tags = std::move(ack_tags);
  ++reply_count_;
}

Outbox::Response Outbox::Next(size_t max_messages, size_t max_bytes) {
  Response& first = entries_.front();
  if (first.deliveries.empty()) {
    Response reply = std::move(first);
    entries_.pop_front();
    --reply_count_;
    return reply;
  }
  size_t count = 0;
  size_t bytes = 0;
  for (const TaggedDelivery& tagged : first.deliveries) {
    bytes += EncodedDeliveryBytes(*tagged.delivery.message);
    if (count > 0 && (count == max_messages || bytes > max_bytes)) break;
    ++count;
  }
  if (count == first.deliveries.size()) {
    Response all = std::move(first);
    entries_.pop_front();
    return all;
  }
  Response part;
  const auto split = first.deliveries.begin() + static_cast<ptrdiff_t>(count);
  part.deliveries.assign(std::make_move_iterator(first.deliveries.begin()),
                         std::make_move_iterator(split));
  first.deliveries.erase(first.deliveries.begin(), split);
  return part;
}

void Outbox::DropDeliveries() {
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                [](const Response& entry) {
                                  return !entry.deliveries.empty();
                                }),
                 entries_.end());
}

void Outbox::Clear() {
  entries_.clear();
  reply_count_ = 0;
}

}  // namespace kelpmq::service
