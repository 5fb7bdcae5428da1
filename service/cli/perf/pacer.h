#ifndef KELPMQ_SERVICE_CLI_PERF_PACER_H_
#define KELPMQ_SERVICE_CLI_PERF_PACER_H_

#include <cstdint>

namespace kelpmq::service::cli::perf {

// When each request of a producer is due. A request that goes out late keeps
// its time, so that what made it late shows in its latency (coordinated
// omission). Without a rate everything is due at once.
// Thread-safety: thread-compatible.
class Pacer {
 public:
  //   per_second: requests; 0: no rate.
  //   first_ns: when the first is due.
  Pacer(double per_second, int64_t first_ns)
      : interval_ns_(per_second > 0 ? 1e9 / per_second : 0),
        first_ns_(first_ns) {}

  bool paced() const { return interval_ns_ > 0; }
  // When the next request is due. Without a rate: now.
  int64_t DueAt(int64_t now_ns) const {
    return paced() ? first_ns_ + static_cast<int64_t>(
                                     interval_ns_ * static_cast<double>(sent_))
                   : now_ns;
  }
  void Sent() { ++sent_; }

 private:
  double interval_ns_;
  int64_t first_ns_;
  uint64_t sent_ = 0;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_PACER_H_
