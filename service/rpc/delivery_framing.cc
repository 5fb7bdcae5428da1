#include "service/rpc/delivery_framing.h"

#include <utility>

#include "service/rpc/codec.h"
#include "service/rpc/delivery_wire.h"

namespace kelpmq::service {
namespace {

class ConsumeFraming : public DeliveryFraming {
 public:
  grpc::ByteBuffer Deliveries(
      absl::Span<const TaggedDelivery> deliveries) const override {
    return EncodeConsumeDeliveries(deliveries);
  }
  grpc::ByteBuffer Started(v1::ConsumerStarted started) const override {
    v1::ConsumeResponse response;
    *response.mutable_started() = std::move(started);
    return Serialize(response);
  }
  grpc::ByteBuffer Lost(v1::DeliveriesLost lost) const override {
    v1::ConsumeResponse response;
    *response.mutable_lost() = std::move(lost);
    return Serialize(response);
  }
  grpc::ByteBuffer Heartbeat(uint64_t request_id) const override {
    v1::ConsumeResponse response;
    response.mutable_heartbeat()->set_request_id(request_id);
    return Serialize(response);
  }
  grpc::ByteBuffer Draining(v1::Draining draining) const override {
    v1::ConsumeResponse response;
    *response.mutable_draining() = std::move(draining);
    return Serialize(response);
  }
  std::optional<grpc::ByteBuffer> Cancelled(
      v1::ConsumerCancelled cancelled) const override {
    v1::ConsumeResponse response;
    *response.mutable_cancelled() = std::move(cancelled);
    return Serialize(response);
  }
};

}  // namespace

std::unique_ptr<DeliveryFraming> MakeConsumeFraming() {
  return std::make_unique<ConsumeFraming>();
}

std::unique_ptr<SubscribeFraming> MakeSubscribeFraming() {
  return std::make_unique<SubscribeFraming>();
}

grpc::ByteBuffer SubscribeFraming::Deliveries(
    absl::Span<const TaggedDelivery> deliveries) const {
  v1::SubscribeResponse rest;
  rest.set_lease_id(lease_id_);
  return EncodeWithDeliveries(v1::SubscribeResponse::kDeliveriesFieldNumber,
                              deliveries, rest.SerializeAsString());
}

grpc::ByteBuffer SubscribeFraming::Started(v1::ConsumerStarted started) const {
  v1::SubscribeResponse response;
  response.set_lease_id(lease_id_);
  *response.mutable_started() = std::move(started);
  return Serialize(response);
}

grpc::ByteBuffer SubscribeFraming::Lost(v1::DeliveriesLost lost) const {
  v1::SubscribeResponse response;
  response.set_lease_id(lease_id_);
  *response.mutable_lost() = std::move(lost);
  return Serialize(response);
}

grpc::ByteBuffer SubscribeFraming::Heartbeat(uint64_t /*request_id*/) const {
  v1::SubscribeResponse response;
  response.set_lease_id(lease_id_);
  return Serialize(response);
}

grpc::ByteBuffer SubscribeFraming::Draining(v1::Draining draining) const {
  v1::SubscribeResponse response;
  response.set_lease_id(lease_id_);
  *response.mutable_draining() = std::move(draining);
  return Serialize(response);
}

std::optional<grpc::ByteBuffer> SubscribeFraming::Cancelled(
    v1::ConsumerCancelled /*cancelled*/) const {
  return std::nullopt;
}

}  // namespace kelpmq::service
