#ifndef KELPMQ_SERVICE_EXCHANGE_SEEN_VALUES_H_
#define KELPMQ_SERVICE_EXCHANGE_SEEN_VALUES_H_

#include <cstddef>
#include <list>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

// The values that a deduplication exchange has seen of late (PLUG-07): the
// latest ones, up to a number, and each for a time at the most. Shared by the
// two copies of the routing table, as RecentHistory is.
// Thread-safety: thread-safe.
class SeenValues {
 public:
  // `capacity` > 0. Null clock: no value is ever too old.
  SeenValues(size_t capacity, const Clock* clock)
      : capacity_(capacity), clock_(clock) {}

  // Remembers the value for `ttl`. False: it is remembered from before, and
  // nothing changes.
  bool Add(std::string value, absl::Duration ttl);

 private:
  struct Entry {
    std::string value;
    absl::Time forgotten;
  };

  const size_t capacity_;
  const Clock* const clock_;
  Mutex mu_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mu_);  // oldest first
  // By the entries' own values.
  absl::flat_hash_map<absl::string_view, std::list<Entry>::iterator> index_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_SEEN_VALUES_H_
