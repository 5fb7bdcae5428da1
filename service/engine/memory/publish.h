#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_PUBLISH_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_PUBLISH_H_

#include <string>
#include <vector>

#include "service/base/clock.h"
#include "service/engine/engine.h"
#include "service/exchange/router.h"

namespace kelpmq::service {

// Routes one batch and hands each queue its share in one call, in the order of
// the items. `done` runs when every queue has taken its share, on the strand of
// the last; with no queue at all, at once.
//   vhost: for error texts.   clock: judges deliver_time.
// Thread-safety: any thread; takes no lock.
void PublishBatch(const Router& router, const std::string& vhost,
                  std::vector<PublishItem> items, const Clock& clock,
                  Done<PublishResult> done);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_PUBLISH_H_
