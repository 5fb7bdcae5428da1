#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_SHARES_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_SHARES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "service/base/message.h"
#include "service/exchange/destination.h"

namespace kelpmq::service {

// What one queue gets of a batch.
struct Share {
  TargetId target;
  std::vector<MessageRef> messages;
  std::vector<uint32_t> indexes;  // of the messages, into the batch
};

// Sorts the messages of one batch by queue. Thread-safety: thread-compatible.
class Shares {
 public:
  explicit Shares(size_t batch_size) : batch_size_(batch_size) {}

  // The share of a queue, as an index that stays valid.
  uint32_t Of(TargetId target) {
    // A batch mostly goes to a handful of queues: look before hashing.
    constexpr size_t kFewShares = 8;
    if (shares_.size() <= kFewShares) {
      for (uint32_t i = 0; i < shares_.size(); ++i) {
        if (shares_[i].target == target) return i;
      }
    } else {
      if (by_target_.empty()) {
        for (uint32_t i = 0; i < shares_.size(); ++i) {
          by_target_.emplace(shares_[i].target, i);
        }
      }
      auto [it, inserted] =
          by_target_.try_emplace(target, static_cast<uint32_t>(shares_.size()));
      if (!inserted) return it->second;
    }
    shares_.emplace_back();
    shares_.back().target = target;
    if (shares_.size() == 1) {  // mostly the only one, then it gets it all
      shares_.back().messages.reserve(batch_size_);
      shares_.back().indexes.reserve(batch_size_);
    }
    return static_cast<uint32_t>(shares_.size() - 1);
  }

  Share& operator[](uint32_t i) { return shares_[i]; }
  std::vector<Share> Take() && { return std::move(shares_); }

 private:
  const size_t batch_size_;
  std::vector<Share> shares_;
  absl::flat_hash_map<TargetId, uint32_t> by_target_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_SHARES_H_
