#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_PUBLISH_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_PUBLISH_H_

#include <string>
#include <vector>

#include "service/base/executor.h"
#include "service/engine/engine.h"
#include "service/engine/memory/departures.h"

namespace kelpmq::service {

// Routes one batch and hands each queue its share in one call, in the order of
// the items; what is to be routed later is kept. `done` runs when every queue
// has taken its share, on the strand of the last; with no queue at all, at
// once.
void PublishBatch(const PublishPath& path, std::vector<PublishItem> items,
                  Done<PublishResult> done);

// The same for messages whose publisher has had its answer: what cannot be
// routed, or is refused, is dropped.
void PublishLate(const PublishPath& path, std::vector<LateMessage> messages,
                 Closure done);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_PUBLISH_H_
