#include "service/rpc/traffic.h"

#include <algorithm>
#include <vector>

#include "service/base/error.h"

namespace kelpmq::service {

void CountPublished(uint32_t items, bool wants_confirm,
                    const absl::StatusOr<PublishResult>& result,
                    Traffic* traffic) {
  traffic->received.Add(items);
  if (wants_confirm) traffic->received_confirm.Add(items);
  if (!result.ok()) return;
  if (wants_confirm) traffic->confirmed.Add(result->accepted_count);
  traffic->routed.Add(result->queue_count);
  traffic->unroutable_dropped.Add(result->unrouted_count);
  traffic->unroutable_returned.Add(static_cast<uint64_t>(
      std::count_if(result->failures.begin(), result->failures.end(),
                    [](const PublishFailure& failure) {
                      return HasReason(failure.error, Reason::kNoRoute);
                    })));
}

void CountGot(const std::vector<Delivery>& deliveries, bool auto_ack,
              Traffic* traffic) {
  if (deliveries.empty()) traffic->got_nothing.Add(1);
  (auto_ack ? traffic->got_auto_ack : traffic->got_manual_ack)
      .Add(deliveries.size());
  traffic->redelivered.Add(static_cast<uint64_t>(
      std::count_if(deliveries.begin(), deliveries.end(),
                    [](const Delivery& d) { return d.delivery_count > 0; })));
}

}  // namespace kelpmq::service
