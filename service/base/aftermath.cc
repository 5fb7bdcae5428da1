#include "service/base/aftermath.h"

#include <utility>

namespace kelpmq::service {
namespace {

// What the last one to let go of an aftermath destroys.
class Ending {
 public:
  Ending(Executor* executor, Closure over)
      : executor_(executor), over_(std::move(over)) {}
  // Posts, since whoever lets go last may be anywhere.
  ~Ending() { executor_->Post(std::move(over_)); }
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

 private:
  Executor* const executor_;
  Closure over_;
};

}  // namespace

// Makes an aftermath the current one of this thread.
class Aftermath::Scope {
 public:
  explicit Scope(const Hold* hold) : outer_(std::exchange(current_, hold)) {}
  ~Scope() { current_ = outer_; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  const Hold* const outer_;
};

void Aftermath::Follow(Executor* executor, Closure event, Closure over) {
  const Hold hold = std::make_shared<const Ending>(executor, std::move(over));
  const Scope scope(&hold);
  std::move(event)();
}

void Aftermath::CarryAlong(Closure* closure) {
  *closure = [hold = *current_, inner = std::move(*closure)]() mutable {
    const Scope scope(&hold);
    std::move(inner)();
    // What it owned may have consequences as well.
    inner = nullptr;
  };
}

}  // namespace kelpmq::service
