#ifndef KELPMQ_SERVICE_EXCHANGE_DESTINATION_SET_H_
#define KELPMQ_SERVICE_EXCHANGE_DESTINATION_SET_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "service/exchange/binding.h"

namespace kelpmq::service {

// The distinct destinations of bindings that match alike, with how many
// bindings lead to each (they may differ in arguments). Small with one member,
// which is the most frequent case; adding and removing cost the same with a
// hundred thousand. Thread-safety: thread-compatible.
class DestinationSet {
 public:
  // One more binding to `destination`.
  void Add(const Destination* destination);
  // One binding less; there must have been one.
  void Remove(const Destination* destination);

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  const Destination* operator[](size_t i) const {
    return entries_[i].destination;
  }

 private:
  // Up to this many, looking at each is cheaper than hashing.
  static constexpr size_t kMaxLinear = 16;

  struct Entry {
    const Destination* destination;
    uint32_t bindings;
  };
  using Positions = absl::flat_hash_map<const Destination*, uint32_t>;

  // entries_.size() if there is none.
  size_t Find(const Destination* destination) const;

  absl::InlinedVector<Entry, 1> entries_;
  std::unique_ptr<Positions> positions_;  // once over kMaxLinear
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_DESTINATION_SET_H_
