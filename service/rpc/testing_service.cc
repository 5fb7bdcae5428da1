#include "service/rpc/testing_service.h"

#include "service/rpc/unsupported.h"

namespace kelpmq::service {

void TestingService::Register(MethodTable* table) {
  AddUnsupported(table, "/kelpmq.v1.TestingService/AdvanceClock");
}

}  // namespace kelpmq::service
