#include "client/cpp/src/get_lease.h"

#include <utility>

#include "client/cpp/src/methods.h"
#include "client/cpp/src/proto_time.h"
#include "kelpmq/v1/messaging.pb.h"

namespace kelpmq::client {
namespace {

// Settles the deliveries of one Get.
class GetLease final : public Settler {
 public:
  GetLease(std::shared_ptr<ClientCore> core, std::string id)
      : core_(std::move(core)), id_(std::move(id)) {}

  absl::Status Settle(uint64_t tag, v1::SettleAction action) override {
    Connection& connection = core_->connection();
    if (action == v1::SETTLE_ACTION_ACK) {
      v1::AckRequest request;
      request.set_lease_id(id_);
      request.add_delivery_tags(tag);
      v1::AckResponse response;
      return connection.Call(MessagingMethod("Ack"), request, &response);
    }
    v1::NackResponse response;
    return connection.Call(
        MessagingMethod("Nack"),
        NackRequest(tag, action == v1::SETTLE_ACTION_DISCARD), &response);
  }

  void Abandon(uint64_t tag) override {
    // Whatever becomes of it: the lease's end requeues the delivery as well.
    core_->connection().Start<v1::NackResponse>(
        MessagingMethod("Nack"), NackRequest(tag, /*discard=*/false),
        [](const absl::Status&, const v1::NackResponse&) {});
  }

 private:
  v1::NackRequest NackRequest(uint64_t tag, bool discard) const {
    v1::NackRequest request;
    request.set_lease_id(id_);
    request.add_delivery_tags(tag);
    request.set_discard(discard);
    return request;
  }

  const std::shared_ptr<ClientCore> core_;
  const std::string id_;
};

}  // namespace

absl::StatusOr<std::vector<Delivery>> GetDeliveries(
    std::shared_ptr<ClientCore> core, const std::string& queue,
    const GetOptions& options) {
  v1::GetRequest request;
  request.set_vhost(core->options().vhost);
  request.set_session_id(core->session().id());
  request.set_queue(core->topology().CurrentName(queue));
  request.set_max_messages(options.max_messages);
  request.set_auto_ack(options.auto_ack);
  SetDuration(options.wait, request.mutable_wait());
  if (!options.auto_ack) {
    SetDuration(options.lease, request.mutable_lease_duration());
  }
  v1::GetResponse response;
  const absl::Status status = core->connection().Call(
      MessagingMethod("Get"), request, &response, options.wait);
  if (!status.ok()) return status;

  std::shared_ptr<Settler> lease;
  if (!options.auto_ack) {
    lease = std::make_shared<GetLease>(std::move(core), response.lease_id());
  }
  std::vector<Delivery> deliveries;
  deliveries.reserve(static_cast<size_t>(response.deliveries_size()));
  for (v1::Delivery& delivery : *response.mutable_deliveries()) {
    deliveries.emplace_back(std::move(delivery), lease);
  }
  return deliveries;
}

}  // namespace kelpmq::client
