#ifndef KELPMQ_SERVICE_RPC_HEALTH_SERVICE_H_
#define KELPMQ_SERVICE_RPC_HEALTH_SERVICE_H_

#include <string>
#include <vector>

#include "service/rpc/draining.h"
#include "service/rpc/reactor.h"
#include "service/rpc/stream_registry.h"

namespace kelpmq::service {

// Adds grpc.health.v1.Health: SERVING for "" (the server as a whole) and for
// each of `services`, NOT_SERVING for all of them once draining has started.
// For other names Check says NOT_FOUND and Watch SERVICE_UNKNOWN.
//
// Ours, because gRPC's own brings two more threads that compete for events
// with ours: half the calls a second at 1.6 times the CPU. `draining` and
// `streams` must outlive the server.
void RegisterHealth(const std::vector<std::string>& services,
                    const Draining* draining, StreamRegistry* streams,
                    MethodTable* methods);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_HEALTH_SERVICE_H_
