#include "service/cli/perf/sequence_check.h"

#include <algorithm>

namespace kelpmq::service::cli::perf {
namespace {

constexpr uint64_t kWordBits = 64;
constexpr uint64_t kFullWord = ~uint64_t{0};

}  // namespace

bool SequenceCheck::Add(uint64_t sequence) {
  if (window_.empty()) {
    if (sequence < count_) return false;
    if (sequence == count_) {
      ++count_;
      return true;
    }
    first_word_ = count_ / kWordBits;
    window_.push_back((uint64_t{1} << count_ % kWordBits) - 1);
    highest_ = 0;
  }
  const uint64_t word = sequence / kWordBits;
  if (word < first_word_) return false;
  const uint64_t index = word - first_word_;
  if (index >= window_.size()) window_.resize(index + 1);
  const uint64_t bit = uint64_t{1} << sequence % kWordBits;
  if ((window_[index] & bit) != 0) return false;
  window_[index] |= bit;
  ++count_;
  highest_ = std::max(highest_, sequence);
  while (!window_.empty() && window_.front() == kFullWord) {
    window_.pop_front();
    ++first_word_;
  }
  if (count_ == highest_ + 1) window_.clear();
  return true;
}

}  // namespace kelpmq::service::cli::perf
