#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_GATHER_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_GATHER_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace kelpmq::service {

// Waits for the answers of several queues: runs `done` once, with all parts in
// the order of their slots, when the last has come. Takes no lock.
// Thread-safety: Put is thread-safe; each slot is put exactly once.
template <typename Part>
class Gather {
 public:
  using AllDone = absl::AnyInvocable<void(std::vector<Part>)>;

  // With no parts `done` runs at once.
  static std::shared_ptr<Gather> Create(size_t parts, AllDone done) {
    if (parts == 0) {
      std::move(done)({});
      return nullptr;
    }
    return std::make_shared<Gather>(parts, std::move(done));
  }

  // Use Create.
  Gather(size_t parts, AllDone done)
      : done_(std::move(done)), parts_(parts), missing_(parts) {}

  void Put(size_t slot, Part part) {
    parts_[slot] = std::move(part);
    // Release shows the part to the last one to come, acquire shows it all.
    if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      std::move(done_)(std::move(parts_));
    }
  }

 private:
  AllDone done_;
  std::vector<Part> parts_;
  std::atomic<size_t> missing_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_GATHER_H_
