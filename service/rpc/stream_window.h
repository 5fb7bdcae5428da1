#ifndef KELPMQ_SERVICE_RPC_STREAM_WINDOW_H_
#define KELPMQ_SERVICE_RPC_STREAM_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "service/base/mutex.h"
#include "service/rpc/delivery_tags.h"

namespace kelpmq::service {

// Names a consumer of a stream towards the engine. The lowest bit says whether
// it is auto_ack, so that the window needs no table to know.
using ConsumerKey = uint32_t;
inline ConsumerKey MakeConsumerKey(uint32_t number, bool auto_ack) {
  return number << 1 | (auto_ack ? 1 : 0);
}
// Deliveries of a get: no prefetch holds them back or counts them (GET-05),
// only the server's cap on unsettled deliveries does.
inline constexpr ConsumerKey kGetKey = 0xFFFFFFFE;
inline bool IsAutoAck(ConsumerKey key) { return (key & 1) != 0; }

// How much one stream may have under way over all its consumers: unsettled
// deliveries (AMQP's prefetch with global=true, and the server's own cap) and
// what waits in the outbox to be written. What goes to auto_ack consumers does
// not count as unsettled, but waits as well while the prefetch is used up.
// Consumers that it refused are remembered until there is room again.
// Thread-safety: thread-safe; its lock is a leaf.
class StreamWindow {
 public:
  struct Limits {
    uint32_t prefetch_count = 0;  // 0: none
    uint64_t prefetch_bytes = 0;  // 0: none
    uint32_t max_unsettled = 0;   // the server's cap; 0: none
    uint32_t max_outbox_messages = 0;
    size_t max_outbox_bytes = 0;
  };
  explicit StreamWindow(const Limits& limits) : limits_(limits) {}

  // Takes room for up to `wanted` deliveries (not 0) of `bytes` each; for how
  // many. A message larger than a byte window goes alone.
  uint32_t Reserve(ConsumerKey key, size_t bytes, uint32_t wanted);

  // Each returns the consumers to wake: those that were refused, if there is
  // room now.
  // What of a reservation was not used: deliveries, and bytes of all of them.
  std::vector<ConsumerKey> GiveBack(ConsumerKey key, uint32_t count,
                                    size_t bytes);
  std::vector<ConsumerKey> Written(uint32_t messages, size_t bytes);
  std::vector<ConsumerKey> Settled(const std::vector<DeliveryTags::Out>& outs);
  std::vector<ConsumerKey> SetPrefetchCount(uint32_t count);
  std::vector<ConsumerKey> SetPrefetchBytes(uint64_t bytes);
  std::vector<ConsumerKey> SetPaused(bool paused);

  // How many deliveries a get may take, up to `wanted`, under the server's cap.
  // They count as unsettled from here on; what was not used is given back.
  uint32_t ReserveForGet(uint32_t wanted);
  std::vector<ConsumerKey> GiveBackFromGet(uint32_t unused);

  // Whether prefetch is limited over all its consumers (QUORUM-05).
  bool has_prefetch() const;
  // Unsettled deliveries counted now.
  uint64_t unsettled() const;

 private:
  // Nothing more may go out, even if it counts for nothing (QOS-04).
  bool PrefetchUsedUp() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool UnsettledRoom(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool OutboxRoom(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // For how many deliveries of `bytes` there is room, up to `wanted`.
  uint64_t RoomFor(uint64_t wanted, size_t bytes, bool auto_ack) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Counts deliveries as under way.
  void Take(uint64_t count, size_t bytes, bool auto_ack)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<ConsumerKey> TakeRefused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  Limits limits_ ABSL_GUARDED_BY(mu_);
  bool paused_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t unsettled_ ABSL_GUARDED_BY(mu_) = 0;            // gets too
  uint64_t prefetched_messages_ ABSL_GUARDED_BY(mu_) = 0;  // consumers alone
  uint64_t prefetched_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint32_t outbox_messages_ ABSL_GUARDED_BY(mu_) = 0;
  size_t outbox_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  // In the order of their turns, which they keep.
  std::vector<ConsumerKey> refused_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_STREAM_WINDOW_H_
