#ifndef KELPMQ_SERVICE_RPC_SERVICE_NAMES_H_
#define KELPMQ_SERVICE_RPC_SERVICE_NAMES_H_

#include <string>
#include <vector>

namespace kelpmq::service {

// Full names of the services that a server answers ("kelpmq.v1.AdminService",
// "grpc.health.v1.Health", ...), as health and reflection tell them. With
// `testing`, TestingService too.
std::vector<std::string> ServedServiceNames(bool testing);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_SERVICE_NAMES_H_
