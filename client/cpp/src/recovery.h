#ifndef KELPMQ_CLIENT_CPP_SRC_RECOVERY_H_
#define KELPMQ_CLIENT_CPP_SRC_RECOVERY_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/src/backoff.h"
#include "kelpmq/options.h"

namespace kelpmq::client {

// Brings a client back after its streams broke: waits, tries, waits longer,
// until an attempt succeeds; then all who wait for it go on. One round serves
// every stream that broke with the same connection.
//
// What it does to the world is handed in, so that tests need neither time nor
// network. Thread-safety: for the polling thread, but epoch().
class Recovery {
 public:
  using Resume = absl::AnyInvocable<void(const absl::Status&)>;

  struct World {
    std::function<void(absl::Duration, absl::AnyInvocable<void()>)> run_after;
    // Finds out whether there is a broker, and restores what it should have.
    std::function<void(absl::AnyInvocable<void(const absl::Status&)>)> attempt;
    std::function<double()> chance;  // in [0, 1)
    std::function<void(const ClientEvent&)> report;
  };

  Recovery(const BackoffOptions& backoff, World world)
      : backoff_(backoff), world_(std::move(world)) {}

  // Counts the times that the client came back. Remembered by who opens a
  // stream, before opening it. On any thread.
  uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }

  // A stream that was opened in `epoch` broke as `cause` says. `resume` runs,
  // with OK, once a later epoch has begun, at once if it has; or with kClosed.
  void AwaitNewer(uint64_t epoch, const absl::Status& cause, Resume resume);

  // A stream has had an answer: the next trouble is a new one.
  void Progress() { backoff_.Reset(); }

  // Ends all waiting with kClosed, now and later.
  void Close();

 private:
  void TryLater();
  void OnAttempted(const absl::Status& status);

  Backoff backoff_;
  const World world_;
  std::atomic<uint64_t> epoch_{1};
  bool recovering_ = false;
  bool closed_ = false;
  std::vector<Resume> waiting_;
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_RECOVERY_H_
