#ifndef KELPMQ_SERVICE_CLI_PERF_LEDGER_H_
#define KELPMQ_SERVICE_CLI_PERF_LEDGER_H_

#include <cstdint>
#include <vector>

#include "service/cli/perf/sequence_check.h"

namespace kelpmq::service::cli::perf {

// Which messages of each producer have come out of each queue, by whichever
// consumer. Thread-safety: for one thread.
class Ledger {
 public:
  Ledger(uint32_t queues, uint32_t producers)
      : producers_(producers), checks_(uint64_t{queues} * producers) {}

  uint32_t producers() const { return producers_; }
  SequenceCheck& At(uint32_t queue, uint32_t producer) {
    return checks_[uint64_t{queue} * producers_ + producer];
  }

 private:
  const uint32_t producers_;
  std::vector<SequenceCheck> checks_;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_LEDGER_H_
