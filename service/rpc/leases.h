#ifndef KELPMQ_SERVICE_RPC_LEASES_H_
#define KELPMQ_SERVICE_RPC_LEASES_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/rpc/lease.h"

namespace kelpmq::service {

// Lease id -> who settles it. Ended leases are remembered for a while, so that
// a late ack gets a precise answer and a retried one does no harm.
// Thread-safety: thread-safe.
class Leases {
 public:
  static constexpr absl::Duration kRememberEnded = absl::Seconds(60);
  static constexpr size_t kMaxEnded = 65536;

  enum class End {
    kAllSettled,  // nothing was out when it ended
    kRequeued,    // what was out went back to its queues
  };

  // Whose deliveries it holds.
  enum class Kind { kStream, kGet };

  // How a lease that Find was asked for stands.
  struct Found {
    std::shared_ptr<Lease> lease;  // null: it has ended, all settled
    uint64_t highest_tag = 0;      // that an ended one had issued
  };

  explicit Leases(const Clock* clock) : clock_(clock) {}

  // A fresh id: 128 random bits, so that it cannot be guessed and never names
  // a lease of another server start.
  static std::string NewId();

  void Add(std::shared_ptr<Lease> lease, Kind kind);
  // The lease takes no more settles. No effect if it has ended already.
  void Remove(const std::string& id, End end);

  // LEASE_EXPIRED if it ended with deliveries requeued, LEASE_NOT_FOUND if it
  // never was or is forgotten.
  absl::StatusOr<Found> Find(const std::string& id);

  size_t live_count() const;
  // Those of kind kGet.
  size_t live_get_count() const;

 private:
  struct Live {
    std::shared_ptr<Lease> lease;
    Kind kind;
  };
  struct Ended {
    End end;
    uint64_t highest_tag;
  };

  void ForgetOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock* const clock_;
  mutable Mutex mu_;
  absl::flat_hash_map<std::string, Live> live_ ABSL_GUARDED_BY(mu_);
  size_t live_get_count_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<std::string, Ended> ended_ ABSL_GUARDED_BY(mu_);
  std::deque<std::pair<absl::Time, std::string>> ended_order_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_LEASES_H_
