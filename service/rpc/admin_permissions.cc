// AdminService's permissions.

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "service/base/error.h"
#include "service/rpc/admin_service.h"
#include "service/rpc/convert.h"
#include "service/rpc/paging.h"

namespace kelpmq::service {
namespace {

// Joins the names in a page token: no byte of UTF-8 is like it.
constexpr char kBetweenNames = '\xff';

v1::Permission ToProto(const PermissionSet& set) {
  v1::Permission permission;
  permission.set_vhost(set.vhost);
  permission.set_user(set.user);
  permission.set_configure(set.configure);
  permission.set_write(set.write);
  permission.set_read(set.read);
  return permission;
}

v1::TopicPermission ToProto(const TopicPermissionSet& set) {
  v1::TopicPermission permission;
  permission.set_vhost(set.vhost);
  permission.set_user(set.user);
  permission.set_exchange(set.exchange);
  permission.set_write(set.write);
  permission.set_read(set.read);
  return permission;
}

// The names of a page token, of which there are `count`; empty ones for the
// first page.
std::vector<std::string> NamesOf(const std::string& after, size_t count) {
  std::vector<std::string> names = absl::StrSplit(after, kBetweenNames);
  names.resize(count);
  return names;
}

std::string Joined(std::initializer_list<absl::string_view> names) {
  return absl::StrJoin(names, std::string(1, kBetweenNames));
}

absl::Status CheckNames(const std::string& vhost, const std::string& user) {
  absl::Status valid = CheckName("vhost", vhost);
  return valid.ok() ? CheckName("user", user) : valid;
}

}  // namespace

void AdminService::SetPermission(const CallContext&,
                                 v1::SetPermissionRequest request,
                                 Reply<v1::SetPermissionResponse> reply) {
  const v1::Permission& proto = request.permission();
  absl::Status status = CheckNames(proto.vhost(), proto.user());
  PermissionSet set{VhostOrDefault(proto.vhost()), proto.user(),
                    proto.configure(), proto.write(), proto.read()};
  if (status.ok()) status = engine_->CheckVhost(set.vhost);
  if (status.ok()) status = users_->SetPermission(std::move(set));
  if (!status.ok()) return reply(std::move(status));
  Recheck([reply = std::move(reply)]() mutable {
    reply(v1::SetPermissionResponse());
  });
}

void AdminService::ClearPermission(const CallContext&,
                                   v1::ClearPermissionRequest request,
                                   Reply<v1::ClearPermissionResponse> reply) {
  const bool deleted =
      users_->ClearPermission(VhostOrDefault(request.vhost()), request.user());
  Recheck([deleted, reply = std::move(reply)]() mutable {
    v1::ClearPermissionResponse response;
    response.set_deleted(deleted);
    reply(std::move(response));
  });
}

void AdminService::ListPermissions(const CallContext&,
                                   v1::ListPermissionsRequest request,
                                   Reply<v1::ListPermissionsResponse> reply) {
  const PageScope scope("ListPermissions", {request.vhost(), request.user()});
  auto page = scope.Read(request.page_size(), request.page_token());
  if (!page.ok()) return reply(std::move(page).status());
  const std::vector<std::string> after = NamesOf(page->after, 2);
  std::vector<PermissionSet> sets = users_->ListPermissions(
      request.vhost(), request.user(), {after[0], after[1]}, page->limit + 1);
  v1::ListPermissionsResponse response;
  if (sets.size() > page->limit) {
    sets.pop_back();
    response.set_next_page_token(
        scope.NextToken(Joined({sets.back().vhost, sets.back().user})));
  }
  for (const PermissionSet& set : sets) {
    *response.add_permissions() = ToProto(set);
  }
  reply(std::move(response));
}

void AdminService::SetTopicPermission(
    const CallContext&, v1::SetTopicPermissionRequest request,
    Reply<v1::SetTopicPermissionResponse> reply) {
  const v1::TopicPermission& proto = request.permission();
  absl::Status status = CheckNames(proto.vhost(), proto.user());
  if (status.ok()) status = CheckName("exchange", proto.exchange());
  TopicPermissionSet set{VhostOrDefault(proto.vhost()), proto.user(),
                         proto.exchange(), proto.write(), proto.read()};
  if (status.ok()) status = engine_->CheckVhost(set.vhost);
  if (status.ok()) status = users_->SetTopicPermission(std::move(set));
  if (!status.ok()) return reply(std::move(status));
  reply(v1::SetTopicPermissionResponse());
}

void AdminService::ClearTopicPermission(
    const CallContext&, v1::ClearTopicPermissionRequest request,
    Reply<v1::ClearTopicPermissionResponse> reply) {
  std::optional<absl::string_view> exchange;
  if (request.has_exchange()) exchange = request.exchange();
  v1::ClearTopicPermissionResponse response;
  response.set_deleted(users_->ClearTopicPermissions(
      VhostOrDefault(request.vhost()), request.user(), exchange));
  reply(std::move(response));
}

void AdminService::ListTopicPermissions(
    const CallContext&, v1::ListTopicPermissionsRequest request,
    Reply<v1::ListTopicPermissionsResponse> reply) {
  const PageScope scope("ListTopicPermissions",
                        {request.vhost(), request.user()});
  auto page = scope.Read(request.page_size(), request.page_token());
  if (!page.ok()) return reply(std::move(page).status());
  const std::vector<std::string> after = NamesOf(page->after, 3);
  std::vector<TopicPermissionSet> sets = users_->ListTopicPermissions(
      request.vhost(), request.user(), {after[0], after[1], after[2]},
      page->limit + 1);
  v1::ListTopicPermissionsResponse response;
  if (sets.size() > page->limit) {
    sets.pop_back();
    const TopicPermissionSet& last = sets.back();
    response.set_next_page_token(
        scope.NextToken(Joined({last.vhost, last.user, last.exchange})));
  }
  for (const TopicPermissionSet& set : sets) {
    *response.add_permissions() = ToProto(set);
  }
  reply(std::move(response));
}

}  // namespace kelpmq::service
