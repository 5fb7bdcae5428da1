#ifndef KELPMQ_SERVICE_RPC_TESTING_SERVICE_H_
#define KELPMQ_SERVICE_RPC_TESTING_SERVICE_H_

#include "service/base/manual_time.h"
#include "service/rpc/reactor.h"

namespace kelpmq::service {

// kelpmq.v1.TestingService, which moves the engine's time.
// Thread-safety: thread-safe.
class TestingService {
 public:
  // Null: the engine runs on real time, and AdvanceClock answers
  // FEATURE_UNSUPPORTED. Else `time` outlives the service.
  explicit TestingService(ManualTime* time) : time_(time) {}

  void Register(MethodTable* table);

 private:
  ManualTime* const time_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_TESTING_SERVICE_H_
