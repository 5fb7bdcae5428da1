#ifndef KELPMQ_SERVICE_BASE_RANDOM_SEQUENCE_H_
#define KELPMQ_SERVICE_BASE_RANDOM_SEQUENCE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kelpmq::service {

// Numbers without a pattern, the same for the same seed. Not for secrets.
// Thread-safety: thread-safe, without a lock.
class RandomSequence {
 public:
  explicit RandomSequence(uint64_t seed) : state_(seed) {}

  // Any number.
  uint64_t Next() {
    // SplitMix64: a counter, well mixed.
    return Mix(state_.fetch_add(kStep, std::memory_order_relaxed) + kStep);
  }
  // Less than `bound`, which is not 0.
  size_t Below(size_t bound) {
    return static_cast<size_t>(
        (static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }

  // Spreads the bits of a number over all of its places.
  static uint64_t Mix(uint64_t x) {
    x = (x ^ (x >> 30)) * uint64_t{0xbf58476d1ce4e5b9};
    x = (x ^ (x >> 27)) * uint64_t{0x94d049bb133111eb};
    return x ^ (x >> 31);
  }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

  std::atomic<uint64_t> state_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_RANDOM_SEQUENCE_H_
