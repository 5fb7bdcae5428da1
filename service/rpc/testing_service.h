#ifndef KELPMQ_SERVICE_RPC_TESTING_SERVICE_H_
#define KELPMQ_SERVICE_RPC_TESTING_SERVICE_H_

#include "service/rpc/reactor.h"

namespace kelpmq::service {

// kelpmq.v1.TestingService, which moves the clock. The server runs on the real
// one, so its RPC answers FEATURE_UNSUPPORTED.
class TestingService {
 public:
  void Register(MethodTable* table);
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_TESTING_SERVICE_H_
