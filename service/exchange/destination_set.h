#ifndef KELPMQ_SERVICE_EXCHANGE_DESTINATION_SET_H_
#define KELPMQ_SERVICE_EXCHANGE_DESTINATION_SET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "service/exchange/binding.h"

namespace kelpmq::service {

// The distinct destinations of bindings that match alike, with how many
// bindings lead to each (they may differ in arguments).
//
// One word large while a single binding is in it, which is the most frequent
// case by far; adding and removing cost the same with a hundred thousand.
// Thread-safety: thread-compatible.
class DestinationSet {
 public:
  DestinationSet() = default;
  DestinationSet(DestinationSet&& other) noexcept
      : bits_(std::exchange(other.bits_, 0)) {}
  DestinationSet& operator=(DestinationSet&& other) noexcept {
    std::swap(bits_, other.bits_);
    return *this;
  }
  ~DestinationSet() {
    if (IsMany()) delete &many();
  }

  // One more binding to `destination`.
  void Add(const Destination* destination);
  // One binding less; there must have been one.
  void Remove(const Destination* destination);

  bool empty() const { return bits_ == 0; }
  size_t size() const {
    return IsMany() ? many().entries.size() : (empty() ? 0 : 1);
  }
  const Destination* operator[](size_t i) const {
    return IsMany() ? many().entries[i].destination : single();
  }

 private:
  // Up to this many, looking at each is cheaper than hashing.
  static constexpr size_t kMaxLinear = 16;
  static constexpr uintptr_t kManyBit = 1;

  struct Entry {
    const Destination* destination;
    uint32_t bindings;
  };
  using Positions = absl::flat_hash_map<const Destination*, uint32_t>;
  struct Many {
    // entries.size() if there is none.
    size_t Find(const Destination* destination) const;
    void Add(const Destination* destination);
    void Remove(const Destination* destination);

    std::vector<Entry> entries;
    std::unique_ptr<Positions> positions;  // once over kMaxLinear
  };

  bool IsMany() const { return (bits_ & kManyBit) != 0; }
  const Destination* single() const {
    return reinterpret_cast<const Destination*>(bits_);
  }
  Many& many() const { return *reinterpret_cast<Many*>(bits_ & ~kManyBit); }

  // 0: empty. A Destination: one binding. A Many with kManyBit: anything else.
  uintptr_t bits_ = 0;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_DESTINATION_SET_H_
