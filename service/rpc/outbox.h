#ifndef KELPMQ_SERVICE_RPC_OUTBOX_H_
#define KELPMQ_SERVICE_RPC_OUTBOX_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "service/rpc/delivery_wire.h"
#include "service/rpc/stream_window.h"

namespace kelpmq::service {

// What a stream of deliveries has still to write, in order. Deliveries that
// gather while a write is under way go out as one response. Bounded by the
// stream's window and by its not reading further requests.
// Thread-safety: thread-compatible. Owned by one DeliveryStream.
class Outbox {
 public:
  // One response to write: either deliveries or a reply that is encoded.
  struct Response {
    std::vector<TaggedDelivery> deliveries;
    grpc::ByteBuffer reply;
    std::vector<uint64_t> ack_tags;  // settled by being written
  };

  void AddDeliveries(std::vector<TaggedDelivery> deliveries);
  void AddReply(grpc::ByteBuffer reply, std::vector<uint64_t> ack_tags = {});

  bool empty() const { return entries_.empty(); }
  // Replies that wait: what a client makes grow by asking and not reading.
  size_t reply_count() const { return reply_count_; }

  // The next response; not empty() beforehand. At most `max_messages`
  // deliveries of `max_bytes`, as the window counts them, but always one.
  Response Next(size_t max_messages, size_t max_bytes);

  // Forgets deliveries that have not been written; replies stay.
  void DropDeliveries();
  void Clear();

 private:
  std::deque<Response> entries_;
  size_t reply_count_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_OUTBOX_H_
