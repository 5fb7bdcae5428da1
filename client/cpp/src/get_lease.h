#ifndef KELPMQ_CLIENT_CPP_SRC_GET_LEASE_H_
#define KELPMQ_CLIENT_CPP_SRC_GET_LEASE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/src/client_core.h"
#include "kelpmq/consumer.h"
#include "kelpmq/delivery.h"

namespace kelpmq::client {

// One Get: its deliveries are settled by calls that name its lease.
absl::StatusOr<std::vector<Delivery>> GetDeliveries(
    std::shared_ptr<ClientCore> core, const std::string& queue,
    const GetOptions& options);

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_GET_LEASE_H_
