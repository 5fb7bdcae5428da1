#ifndef KELPMQ_SERVICE_QUEUE_SINGLE_ACTIVE_H_
#define KELPMQ_SERVICE_QUEUE_SINGLE_ACTIVE_H_

#include <vector>

#include "service/queue/dispatcher.h"

namespace kelpmq::service {

// Which consumer of a queue with x-single-active-consumer takes messages: the
// others stand by (SAC-01). When it leaves, the one with the highest priority
// takes over, of equals the one that came first.
//
// Thread-safety: thread-compatible. Owned by one QueueCore; owns no Taker.
class SingleActive {
 public:
  enum class Succession {
    kAtLeave,  // an active consumer stays until it leaves (SAC-03, classic)
    // It makes room for a higher priority: it takes no more, and hands over
    // once it has settled what it holds (SAC-03, quorum).
    kByPriority,
  };

  // `dispatcher` outlives it.
  SingleActive(Succession succession, Dispatcher* dispatcher)
      : succession_(succession), dispatcher_(dispatcher) {}
  SingleActive(const SingleActive&) = delete;
  SingleActive& operator=(const SingleActive&) = delete;

  // A consumer that is in the dispatcher, standing by.
  void Add(Taker* consumer);
  void Remove(Taker* consumer);
  // Something that this consumer held is settled.
  void Settled(const Taker* consumer);

  bool IsActive(const Taker* consumer) const { return consumer == active_; }

 private:
  Taker* First() const;
  void Activate(Taker* consumer);
  // Whether the active one has to make room, or may go on after all.
  void Reconsider();

  const Succession succession_;
  Dispatcher* const dispatcher_;
  std::vector<Taker*> consumers_;  // in the order they came
  Taker* active_ = nullptr;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_QUEUE_SINGLE_ACTIVE_H_
