#include "service/cli/perf/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace kelpmq::service::cli::perf {
namespace {

constexpr int kPartBits = 7;
constexpr uint64_t kParts = 1 << kPartBits;
// Values below 2 * kParts have a bucket each; every further power of two up to
// 2^63 has kParts of them.
constexpr size_t kBuckets = (64 - kPartBits) * kParts;

size_t BucketOf(uint64_t value) {
  if (value < 2 * kParts) return value;
  const int power = 63 - __builtin_clzll(value);
  const int shift = power - kPartBits;
  return static_cast<size_t>(shift) * kParts + (value >> shift);
}

// The largest value of a bucket.
int64_t TopOf(size_t bucket) {
  if (bucket < 2 * kParts) return static_cast<int64_t>(bucket);
  const size_t shift = bucket / kParts - 1;
  const uint64_t part = bucket - shift * kParts;
  return static_cast<int64_t>(((part + 1) << shift) - 1);
}

}  // namespace

Histogram::Histogram() : counts_(kBuckets) {}

void Histogram::Record(int64_t value) {
  value = std::max<int64_t>(value, 0);
  ++counts_[BucketOf(static_cast<uint64_t>(value))];
  ++count_;
  max_ = std::max(max_, value);
}

void Histogram::Clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
  max_ = 0;
}

int64_t Histogram::Quantile(double share) const {
  const auto wanted = std::max<uint64_t>(
      1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_))));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= wanted) return std::min(TopOf(bucket), max_);
  }
  return max_;
}

}  // namespace kelpmq::service::cli::perf
