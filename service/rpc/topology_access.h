#ifndef KELPMQ_SERVICE_RPC_TOPOLOGY_ACCESS_H_
#define KELPMQ_SERVICE_RPC_TOPOLOGY_ACCESS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/auth/vhost_access.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// What has to be allowed before topology is changed: ACCESS_REFUSED if it is
// not. What the engine refuses everybody is left to it.

// Configure; with an alternate exchange that is new, also read on the exchange
// and write on the alternate (AUTH-03, AUTH-07, AUTH-08).
absl::Status CheckDeclareExchange(const Engine& engine,
                                  const DeclareExchangeParams& params,
                                  VhostAccess* access);
absl::Status CheckDeleteExchange(const std::string& name, VhostAccess* access);

// Configure, on the name that the server makes too, which is made here then;
// with a dead letter exchange for a queue that is new, also read on the queue
// and write on the exchange.
absl::Status CheckDeclareQueue(const Engine& engine, DeclareQueueParams* params,
                               VhostAccess* access);

// Write on the destination, read on the source, and the topic rule of the
// source for the key (AUTH-06, AUTH-10).
absl::Status CheckBind(const Engine& engine, const std::string& vhost,
                       const BindingSpec& binding, VhostAccess* access);

// Read on the queue; of a temporary queue all that declaring, binding and
// reading it would take. Makes the temporary queue's name if that matters.
absl::Status CheckConsume(const Engine& engine, ConsumeParams* params,
                          VhostAccess* access);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_TOPOLOGY_ACCESS_H_
