#include "service/rpc/admin_audit.h"

#include <initializer_list>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kelpmq::service {
namespace {

// key='value', on one line whatever the values hold.
std::string Fields(
    std::initializer_list<std::pair<absl::string_view, absl::string_view>>
        fields) {
  return absl::StrJoin(fields, " ", [](std::string* out, const auto& field) {
    absl::StrAppend(out, field.first, "='", absl::CEscape(field.second), "'");
  });
}

}  // namespace

std::string SubjectOf(const v1::PutVhostRequest& request) {
  return request.vhost().name();
}

std::string SubjectOf(const v1::DeleteVhostRequest& request) {
  return request.name();
}

std::string SubjectOf(const v1::PutUserRequest& request) {
  return request.user().name();
}

std::string SubjectOf(const v1::DeleteUserRequest& request) {
  return request.name();
}

std::string SubjectOf(const v1::SetPermissionRequest& request) {
  const v1::Permission& permission = request.permission();
  return Fields({{"name", permission.user()},
                 {"vhost", permission.vhost()},
                 {"configure", permission.configure()},
                 {"write", permission.write()},
                 {"read", permission.read()}});
}

std::string SubjectOf(const v1::ClearPermissionRequest& request) {
  return Fields({{"name", request.user()}, {"vhost", request.vhost()}});
}

std::string SubjectOf(const v1::SetTopicPermissionRequest& request) {
  const v1::TopicPermission& permission = request.permission();
  return Fields({{"name", permission.user()},
                 {"vhost", permission.vhost()},
                 {"exchange", permission.exchange()},
                 {"write", permission.write()},
                 {"read", permission.read()}});
}

std::string SubjectOf(const v1::ClearTopicPermissionRequest& request) {
  return Fields({{"name", request.user()},
                 {"vhost", request.vhost()},
                 {"exchange", request.exchange()}});
}

std::string SubjectOf(const v1::PutPolicyRequest& request) {
  return request.policy().name();
}

std::string SubjectOf(const v1::DeletePolicyRequest& request) {
  return request.name();
}

std::string SubjectOf(const v1::EndSessionRequest& request) {
  return request.session_ref();
}

std::string SubjectOf(const v1::ImportDefinitionsRequest& request) {
  return Fields(
      {{"bytes", absl::StrCat(request.json().size())},
       {"validate_only", request.validate_only() ? "true" : "false"}});
}

}  // namespace kelpmq::service
