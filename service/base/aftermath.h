#ifndef KELPMQ_SERVICE_BASE_AFTERMATH_H_
#define KELPMQ_SERVICE_BASE_AFTERMATH_H_

#include <memory>

#include "service/base/executor.h"

namespace kelpmq::service {

// All that follows from one event, on whatever threads: the closures that it
// posted, those that these posted, and so on. Made for a clock that is moved by
// hand, which must know when everything that fell due has taken effect; where
// nobody follows an event it costs a look at a thread-local.
//
// Strand and TimerQueue carry closures along. What is kept elsewhere until
// somebody else runs it belongs to the aftermath for as long as it owns a Hold.
//
// Thread-safety: thread-safe.
class Aftermath {
 public:
  // Runs `event` now. Posts `over` to `executor` once nothing that follows from
  // it is left to run.
  static void Follow(Executor* executor, Closure event, Closure over);

  // Makes `closure` a part of the aftermath that runs in this thread; leaves it
  // as it is if there is none.
  static void Carry(Closure* closure) {
    if (current_ != nullptr) CarryAlong(closure);
  }

  // Keeps the aftermath that runs in this thread from being over; null if there
  // is none.
  using Hold = std::shared_ptr<const void>;
  static Hold HoldCurrent() {
    return current_ == nullptr ? nullptr : *current_;
  }

 private:
  class Scope;

  static void CarryAlong(Closure* closure);

  static inline thread_local const Hold* current_ = nullptr;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_AFTERMATH_H_
