// `permission set|clear|set-topic|clear-topic`.
#include <string>

#include "absl/strings/str_cat.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

struct PermissionFlags {
  ClientFlags client;
  std::string user;
  std::string exchange;
  std::string configure;
  std::string write;
  std::string read;
};

std::string OfUser(const PermissionFlags& flags, const Connection& connection) {
  return absl::StrCat("of user '", OneLine(flags.user), "' in vhost '",
                      OneLine(connection.vhost_name()), "'");
}

void PrintSet(absl::string_view what, const PermissionFlags& flags,
              const Connection& connection, Output* output) {
  if (output->json()) return output->PrintJson({{"set", true}});
  output->PrintLine(absl::StrCat(what, " ", OfUser(flags, connection), " set"));
}

void PrintCleared(absl::string_view what, const PermissionFlags& flags,
                  bool deleted, const Connection& connection, Output* output) {
  if (output->json()) return output->PrintJson({{"deleted", deleted}});
  output->PrintLine(absl::StrCat(what, " ", OfUser(flags, connection), " ",
                                 deleted ? "cleared" : "were not there"));
}

absl::Status SetPermission(const PermissionFlags& flags, Connection* connection,
                           Output* output) {
  v1::SetPermissionRequest request;
  v1::Permission* permission = request.mutable_permission();
  permission->set_vhost(connection->vhost());
  permission->set_user(flags.user);
  permission->set_configure(flags.configure);
  permission->set_write(flags.write);
  permission->set_read(flags.read);
  v1::SetPermissionResponse response;
  const absl::Status status = connection->Call(
      connection->admin(), &v1::AdminService::Stub::SetPermission, request,
      &response);
  if (!status.ok()) return status;
  PrintSet("permissions", flags, *connection, output);
  return absl::OkStatus();
}

absl::Status ClearPermission(const PermissionFlags& flags,
                             Connection* connection, Output* output) {
  v1::ClearPermissionRequest request;
  request.set_vhost(connection->vhost());
  request.set_user(flags.user);
  v1::ClearPermissionResponse response;
  const absl::Status status = connection->Call(
      connection->admin(), &v1::AdminService::Stub::ClearPermission, request,
      &response);
  if (!status.ok()) return status;
  PrintCleared("permissions", flags, response.deleted(), *connection, output);
  return absl::OkStatus();
}

absl::Status SetTopicPermission(const PermissionFlags& flags,
                                Connection* connection, Output* output) {
  v1::SetTopicPermissionRequest request;
  v1::TopicPermission* permission = request.mutable_permission();
  permission->set_vhost(connection->vhost());
  permission->set_user(flags.user);
  permission->set_exchange(flags.exchange);
  permission->set_write(flags.write);
  permission->set_read(flags.read);
  v1::SetTopicPermissionResponse response;
  const absl::Status status = connection->Call(
      connection->admin(), &v1::AdminService::Stub::SetTopicPermission, request,
      &response);
  if (!status.ok()) return status;
  PrintSet("topic permissions", flags, *connection, output);
  return absl::OkStatus();
}

absl::Status ClearTopicPermission(const PermissionFlags& flags,
                                  Connection* connection, Output* output) {
  v1::ClearTopicPermissionRequest request;
  request.set_vhost(connection->vhost());
  request.set_user(flags.user);
  if (!flags.exchange.empty()) request.set_exchange(flags.exchange);
  v1::ClearTopicPermissionResponse response;
  const absl::Status status = connection->Call(
      connection->admin(), &v1::AdminService::Stub::ClearTopicPermission,
      request, &response);
  if (!status.ok()) return status;
  PrintCleared("topic permissions", flags, response.deleted(), *connection,
               output);
  return absl::OkStatus();
}

using Run = absl::Status (*)(const PermissionFlags&, Connection*, Output*);

// `add` adds what the command has besides the user.
template <typename AddOptions>
void AddOne(CLI::App* group, const std::string& name,
            const std::string& description,
            const std::vector<std::string>& examples, int* exit_code, Run run,
            AddOptions add) {
  auto flags = std::make_shared<PermissionFlags>();
  CLI::App* command = AddCommand(group, name, description, examples);
  command->add_option("USER", flags->user, "Whose they are")->required();
  add(command, flags.get());
  AddClientFlags(command, &flags->client);
  OnRun(command, std::move(flags), exit_code, run);
}

void AddPattern(CLI::App* command, const std::string& name, std::string* value,
                const std::string& description) {
  command->add_option(name, *value, description)->type_name("PATTERN");
}

}  // namespace

void AddPermissionCommands(CLI::App* app, int* exit_code) {
  CLI::App* group =
      AddGroup(app, "permission", "Say what a user may do in a vhost");
  AddOne(group, "set",
         "Set what a user may do: regular expressions on names, not anchored; "
         "what is left out is forbidden",
         {"kelpmq permission set app --configure '^app[.]' --write '^app[.]' "
          "--read '^app[.]'",
          "kelpmq permission set root --configure '.*' --write '.*' --read "
          "'.*' --vhost staging"},
         exit_code, &SetPermission,
         [](CLI::App* command, PermissionFlags* flags) {
           AddPattern(command, "--configure", &flags->configure,
                      "Queues and exchanges to declare and delete");
           AddPattern(command, "--write", &flags->write,
                      "Exchanges to publish to, and what to bind; the default "
                      "exchange is amq.default");
           AddPattern(command, "--read", &flags->read,
                      "Queues to get from, consume and purge; exchanges to "
                      "bind to");
         });
  AddOne(group, "clear", "Take all permissions in a vhost from a user",
         {"kelpmq permission clear app"}, exit_code, &ClearPermission,
         [](CLI::App*, PermissionFlags*) {});
  AddOne(group, "set-topic",
         "Set which routing keys a user may use with a topic exchange",
         {"kelpmq permission set-topic app --exchange events --write "
          "'^app[.]' --read '.*'"},
         exit_code, &SetTopicPermission,
         [](CLI::App* command, PermissionFlags* flags) {
           command
               ->add_option("--exchange", flags->exchange, "A topic exchange")
               ->type_name("NAME")
               ->required();
           AddPattern(command, "--write", &flags->write,
                      "Routing keys to publish with");
           AddPattern(command, "--read", &flags->read,
                      "Binding keys to bind with");
         });
  AddOne(group, "clear-topic", "Lift what set-topic has set",
         {"kelpmq permission clear-topic app --exchange events"}, exit_code,
         &ClearTopicPermission, [](CLI::App* command, PermissionFlags* flags) {
           command
               ->add_option("--exchange", flags->exchange,
                            "Only for this exchange (default: for all)")
               ->type_name("NAME");
         });
}

}  // namespace kelpmq::service::cli
