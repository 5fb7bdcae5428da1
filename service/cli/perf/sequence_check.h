#ifndef KELPMQ_SERVICE_CLI_PERF_SEQUENCE_CHECK_H_
#define KELPMQ_SERVICE_CLI_PERF_SEQUENCE_CHECK_H_

#include <cstdint>
#include <deque>

namespace kelpmq::service::cli::perf {

// Which numbers of 0, 1, 2, ... have come, in whatever order: finds each that
// comes twice, and by its count what is missing. Costs a comparison while they
// come in order, and a bit for each in between while they do not.
// Thread-safety: thread-compatible.
class SequenceCheck {
 public:
  // False: it has come before.
  bool Add(uint64_t sequence);
  // Different numbers that have come.
  uint64_t count() const { return count_; }

 private:
  uint64_t count_ = 0;
  // Used while what has come is not just 0 to count_ - 1: bit i of window_[w]
  // is number 64 * (first_word_ + w) + i; all below have come.
  std::deque<uint64_t> window_;
  uint64_t first_word_ = 0;
  uint64_t highest_ = 0;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_SEQUENCE_CHECK_H_
