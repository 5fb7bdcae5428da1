#ifndef KELPMQ_SERVICE_RPC_ADMIN_AUDIT_H_
#define KELPMQ_SERVICE_RPC_ADMIN_AUDIT_H_

#include <string>

#include "kelpmq/v1/admin.pb.h"

namespace kelpmq::service {

// What a change is about, for the audit log: names, never passwords or hashes.
std::string SubjectOf(const v1::PutVhostRequest& request);
std::string SubjectOf(const v1::DeleteVhostRequest& request);
std::string SubjectOf(const v1::PutUserRequest& request);
std::string SubjectOf(const v1::DeleteUserRequest& request);
std::string SubjectOf(const v1::SetPermissionRequest& request);
std::string SubjectOf(const v1::ClearPermissionRequest& request);
std::string SubjectOf(const v1::SetTopicPermissionRequest& request);
std::string SubjectOf(const v1::ClearTopicPermissionRequest& request);
std::string SubjectOf(const v1::PutPolicyRequest& request);
std::string SubjectOf(const v1::DeletePolicyRequest& request);
std::string SubjectOf(const v1::EndSessionRequest& request);
std::string SubjectOf(const v1::ImportDefinitionsRequest& request);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_ADMIN_AUDIT_H_
