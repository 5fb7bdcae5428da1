// `list users|permissions|topic-permissions`.
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/list_print.h"
#include "service/cli/pages.h"

namespace kelpmq::service::cli {
namespace {

struct UserListFlags {
  ClientFlags client;
  std::string user;
  std::string vhost;
};

absl::Status ListUsers(const UserListFlags&, Connection* connection,
                       Output* output) {
  return PrintItems(
      FetchUsers(connection), {{"NAME"}, {"TAGS"}},
      [](const v1::User& user) -> std::vector<std::string> {
        return {user.name(), absl::StrJoin(user.tags(), ",")};
      },
      "users", output);
}

absl::Status ListPermissions(const UserListFlags& flags, Connection* connection,
                             Output* output) {
  v1::ListPermissionsRequest request;
  request.set_vhost(flags.vhost);
  request.set_user(flags.user);
  return PrintItems(
      FetchPermissions(connection, request),
      {{"VHOST"}, {"USER"}, {"CONFIGURE"}, {"WRITE"}, {"READ"}},
      [](const v1::Permission& permission) -> std::vector<std::string> {
        return {permission.vhost(), permission.user(), permission.configure(),
                permission.write(), permission.read()};
      },
      "permissions", output);
}

absl::Status ListTopicPermissions(const UserListFlags& flags,
                                  Connection* connection, Output* output) {
  v1::ListTopicPermissionsRequest request;
  request.set_vhost(flags.vhost);
  request.set_user(flags.user);
  return PrintItems(
      FetchTopicPermissions(connection, request),
      {{"VHOST"}, {"USER"}, {"EXCHANGE"}, {"WRITE"}, {"READ"}},
      [](const v1::TopicPermission& permission) -> std::vector<std::string> {
        return {permission.vhost(), permission.user(), permission.exchange(),
                permission.write(), permission.read()};
      },
      "topic permissions", output);
}

void AddFilters(CLI::App* command, UserListFlags* flags) {
  command->add_option("--of-user", flags->user, "Only those of this user")
      ->type_name("NAME");
  command
      ->add_option("--vhost", flags->vhost,
                   "Only those in this virtual host (default: in all)")
      ->type_name("NAME");
}

}  // namespace

void AddUserLists(CLI::App* list_group, int* exit_code) {
  {
    auto flags = std::make_shared<UserListFlags>();
    CLI::App* command = AddCommand(list_group, "users", "Show the users",
                                   {"kelpmq list users"});
    AddClientFlags(command, &flags->client, VhostFlag::kNo);
    OnRun(command, std::move(flags), exit_code, &ListUsers);
  }
  {
    auto flags = std::make_shared<UserListFlags>();
    CLI::App* command = AddCommand(
        list_group, "permissions", "Show what users may do",
        {"kelpmq list permissions", "kelpmq list permissions --of-user app"});
    AddFilters(command, flags.get());
    AddClientFlags(command, &flags->client, VhostFlag::kNo);
    OnRun(command, std::move(flags), exit_code, &ListPermissions);
  }
  {
    auto flags = std::make_shared<UserListFlags>();
    CLI::App* command =
        AddCommand(list_group, "topic-permissions",
                   "Show which routing keys users may use",
                   {"kelpmq list topic-permissions --vhost staging"});
    AddFilters(command, flags.get());
    AddClientFlags(command, &flags->client, VhostFlag::kNo);
    OnRun(command, std::move(flags), exit_code, &ListTopicPermissions);
  }
}

}  // namespace kelpmq::service::cli
