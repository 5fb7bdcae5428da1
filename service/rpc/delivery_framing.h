#ifndef KELPMQ_SERVICE_RPC_DELIVERY_FRAMING_H_
#define KELPMQ_SERVICE_RPC_DELIVERY_FRAMING_H_

#include <memory>
#include <optional>
#include <string>

#include "service/rpc/delivery_stream.h"

namespace kelpmq::service {

// v1.ConsumeResponse: each event is a response of its own.
std::unique_ptr<DeliveryFraming> MakeConsumeFraming();

// v1.SubscribeResponse: carries the lease's id in each. Its one consumer's end
// is the stream's.
class SubscribeFraming : public DeliveryFraming {
 public:
  void set_lease_id(std::string lease_id) { lease_id_ = std::move(lease_id); }

  grpc::ByteBuffer Deliveries(
      absl::Span<const TaggedDelivery> deliveries) const override;
  grpc::ByteBuffer Started(v1::ConsumerStarted started) const override;
  grpc::ByteBuffer Lost(v1::DeliveriesLost lost) const override;
  grpc::ByteBuffer Heartbeat(uint64_t request_id) const override;
  grpc::ByteBuffer Draining(v1::Draining draining) const override;
  std::optional<grpc::ByteBuffer> Cancelled(
      v1::ConsumerCancelled cancelled) const override;

 private:
  std::string lease_id_;
};
std::unique_ptr<SubscribeFraming> MakeSubscribeFraming();

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_DELIVERY_FRAMING_H_
