#ifndef KELPMQ_SERVICE_RPC_CHANNELZ_SERVICE_H_
#define KELPMQ_SERVICE_RPC_CHANNELZ_SERVICE_H_

#include "service/rpc/reactor.h"

namespace kelpmq::service {

// Adds grpc.channelz.v1.Channelz: gRPC's own counts of this process's servers,
// connections and streams, for grpcdebug and the like.
void RegisterChannelz(MethodTable* methods);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CHANNELZ_SERVICE_H_
