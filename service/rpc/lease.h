#ifndef KELPMQ_SERVICE_RPC_LEASE_H_
#define KELPMQ_SERVICE_RPC_LEASE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/base/mutex.h"
#include "service/engine/engine.h"
#include "service/rpc/delivery_tags.h"

namespace kelpmq::service {

// What became of a settle.
struct SettleOutcome {
  uint64_t settled_count = 0;
  uint64_t already_settled_count = 0;
  std::vector<TagFailure> failures;
};

// The unsettled deliveries of one owner (a stream, or a Get) and the way to
// settle them, from that stream or from anywhere else by the lease's id.
// Thread-safety: thread-safe.
class Lease : public std::enable_shared_from_this<Lease> {
 public:
  // What the holder wants to know; called holding no lock.
  struct Hooks {
    // Deliveries that are no longer out (settled or lost). Returns the
    // consumers that this made room for.
    std::function<std::vector<uint32_t>(const std::vector<DeliveryTags::Out>&)>
        on_taken;
    // These may get more: told after the queues were asked to settle, so that
    // what was requeued comes before what was behind it (NACK-05).
    std::function<void(const std::vector<uint32_t>&)> wake;
    // A settle has left nothing out, and nothing of it was lost.
    std::function<void()> on_empty;
    // Lets the lease run out this much from now on.
    std::function<absl::StatusOr<absl::Time>(absl::Duration)> extend;
  };
  Lease(std::string id, Engine* engine) : id_(std::move(id)), engine_(engine) {}
  // Before the first delivery.
  void set_hooks(Hooks hooks) { hooks_ = std::move(hooks); }

  // Before others know it: the user who alone may settle by its id.
  void set_user(std::string user) { user_ = std::move(user); }

  const std::string& id() const { return id_; }
  const std::string& user() const { return user_; }

  // Guards the tags. The holder may guard its own outbox with it too, so that
  // deliveries leave in the order of their tags.
  Mutex& mu() ABSL_LOCK_RETURNED(mu_) { return mu_; }

  // The tag of the first delivery; the others follow it.
  uint64_t Issue(const QueueRef& queue, uint32_t consumer_key,
                 absl::Span<const Delivery> deliveries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Settles what `selection` names and runs `done` when the queues have done
  // it. Tags that cannot be settled are failures; the others are settled.
  void Settle(SettleAction action, const TagSelection& selection,
              absl::AnyInvocable<void(SettleOutcome)> done);
  // Acks these tags without asking anybody: auto_ack deliveries that went out.
  void AckQuietly(absl::Span<const uint64_t> tags);

  // The new time of expiry. INVALID_VALUE: a stream's lease has none.
  absl::StatusOr<absl::Time> Extend(absl::Duration duration);

  // The engine no longer holds these for us. Returns their tags as ranges.
  std::vector<TagSpan> MarkLost(const QueueRef& queue,
                                absl::Span<const uint64_t> delivery_ids);

  // The queues that it holds deliveries of.
  std::vector<QueueRef> queues() const;
  size_t out_count() const;
  uint64_t highest_issued() const;

 private:
  const std::string id_;
  std::string user_ = "guest";
  Engine* const engine_;
  Hooks hooks_;
  mutable Mutex mu_;
  DeliveryTags tags_ ABSL_GUARDED_BY(mu_);
};

// Rising tags as ranges.
std::vector<TagSpan> ToSpans(absl::Span<const uint64_t> tags);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_LEASE_H_
