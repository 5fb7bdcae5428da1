#ifndef KELPMQ_SERVICE_BASE_LEFT_RIGHT_H_
#define KELPMQ_SERVICE_BASE_LEFT_RIGHT_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <type_traits>
#include <utility>

namespace kelpmq::service {

// Two equal copies of a T, so that reading never waits for a change.
//
// Readers use one copy; a writer changes the other, turns the readers over to
// it, waits until the last has left the first, and repeats the change there
// (Ramalhete and Correia's Left-Right). A change therefore costs twice its
// work, but never a copy of the whole as an immutable snapshot would.
//
// Thread-safety: Read may be called from any thread at any time. Write and
// Peek need the caller's exclusion among themselves.
template <typename T>
class LeftRight {
 public:
  // Makes both copies from the same arguments.
  template <typename... Args>
  explicit LeftRight(const Args&... args) : copies_{T(args...), T(args...)} {}
  LeftRight(const LeftRight&) = delete;
  LeftRight& operator=(const LeftRight&) = delete;

  // Returns read(const T&). Wait-free. `read` must be short (a writer waits
  // for it), must let go of the T when it returns, and must not Write.
  template <typename F>
  decltype(auto) Read(F&& read) const {
    const int epoch = epoch_.load();
    const ReadScope scope(&readers_[epoch][Stripe()].count);
    return std::forward<F>(read)(copies_[active_.load()]);
  }

  // Applies change(T*) to both copies and returns what it returned. All reads
  // that begin later see the change. `change` runs twice and must do the same
  // to equal copies; waits for the reads that are under way.
  template <typename F>
  auto Write(F&& change) {
    const int old_copy = active_.load();
    const int new_copy = 1 - old_copy;
    if constexpr (std::is_void_v<decltype(change(&copies_[0]))>) {
      change(&copies_[new_copy]);
      TurnReadersTo(new_copy);
      change(&copies_[old_copy]);
    } else {
      auto result = change(&copies_[new_copy]);
      TurnReadersTo(new_copy);
      [[maybe_unused]] auto same_result = change(&copies_[old_copy]);
      return result;
    }
  }

  // The current state, for the writing side.
  const T& Peek() const { return copies_[active_.load()]; }

 private:
  // Readers count themselves in and out in one of these, by thread, so that
  // they rarely share a cache line.
  struct alignas(64) ReaderCount {
    std::atomic<int64_t> count{0};
  };
  static constexpr size_t kStripes = 8;
  static constexpr int kStripeShift = 61;  // leaves log2(kStripes) bits

  class ReadScope {
   public:
    explicit ReadScope(std::atomic<int64_t>* count) : count_(count) {
      count_->fetch_add(1);
    }
    ~ReadScope() { count_->fetch_sub(1); }
    ReadScope(const ReadScope&) = delete;
    ReadScope& operator=(const ReadScope&) = delete;

   private:
    std::atomic<int64_t>* const count_;
  };

  static size_t Stripe() {
    // Fibonacci hashing: thread ids are addresses and differ in middle bits.
    const uint64_t id =
        std::hash<std::thread::id>()(std::this_thread::get_id());
    return (id * uint64_t{0x9E3779B97F4A7C15}) >> kStripeShift;
  }

  void TurnReadersTo(int copy) {
    active_.store(copy);
    // A reader that still uses the other copy has counted itself under either
    // epoch: whoever loaded `epoch_` before an earlier turn may have counted
    // late. So both counts must have been seen at zero, and new readers must
    // not keep the one we wait for above it.
    const int old_epoch = epoch_.load();
    AwaitNoReaders(1 - old_epoch);
    epoch_.store(1 - old_epoch);
    AwaitNoReaders(old_epoch);
  }

  void AwaitNoReaders(int epoch) const {
    for (const ReaderCount& stripe : readers_[epoch]) {
      while (stripe.count.load() != 0) std::this_thread::yield();
    }
  }

  std::array<T, 2> copies_;
  // All sequentially consistent, without fences: the proof needs one total
  // order of them, and ThreadSanitizer does not see fences.
  std::atomic<int> active_{0};  // the copy that readers use
  std::atomic<int> epoch_{0};   // where readers count themselves
  mutable std::array<std::array<ReaderCount, kStripes>, 2> readers_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_LEFT_RIGHT_H_
