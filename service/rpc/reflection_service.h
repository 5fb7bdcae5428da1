#ifndef KELPMQ_SERVICE_RPC_REFLECTION_SERVICE_H_
#define KELPMQ_SERVICE_RPC_REFLECTION_SERVICE_H_

#include <string>
#include <vector>

#include "service/rpc/reactor.h"
#include "service/rpc/stream_registry.h"

namespace kelpmq::service {

// Adds server reflection, v1 and v1alpha, over the descriptors that are linked
// in, so that grpcurl and the like need no .proto files. Lists `services`.
// gRPC's own only speaks v1alpha and lists no service that is served
// generically. `streams` must outlive the server.
void RegisterReflection(std::vector<std::string> services,
                        StreamRegistry* streams, MethodTable* methods);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_REFLECTION_SERVICE_H_
