#ifndef KELPMQ_SERVICE_CLI_PERF_HISTOGRAM_H_
#define KELPMQ_SERVICE_CLI_PERF_HISTOGRAM_H_

#include <cstdint>
#include <vector>

namespace kelpmq::service::cli::perf {

// Counts values of any size with a relative error below 1 in 128: each power
// of two is cut into 128 equal parts, as HdrHistogram does. Fixed memory.
// Thread-safety: thread-compatible.
class Histogram {
 public:
  Histogram();

  // Negative values count as 0.
  void Record(int64_t value);
  void Clear();

  uint64_t count() const { return count_; }
  int64_t max() const { return max_; }
  // The value that this share of all (0 to 1) does not exceed; 0 if empty.
  int64_t Quantile(double share) const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_HISTOGRAM_H_
