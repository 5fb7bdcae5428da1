// `vhost put` and `vhost delete`.
#include <optional>
#include <string>
#include <vector>

#include "service/cli/command.h"
#include "service/cli/commands.h"

namespace kelpmq::service::cli {
namespace {

struct VhostFlags {
  ClientFlags client;
  std::string name;
  std::string description;
  std::vector<std::string> tags;
  std::string default_queue_type;
  std::optional<uint64_t> max_queues;
  std::optional<uint64_t> max_connections;
};

absl::Status PutVhost(const VhostFlags& flags, Connection* connection,
                      Output* output) {
  v1::PutVhostRequest request;
  v1::Vhost* vhost = request.mutable_vhost();
  vhost->set_name(flags.name);
  vhost->set_description(flags.description);
  for (const std::string& tag : flags.tags) vhost->add_tags(tag);
  vhost->set_default_queue_type(flags.default_queue_type);
  if (flags.max_queues) vhost->set_max_queues(*flags.max_queues);
  if (flags.max_connections) vhost->set_max_connections(*flags.max_connections);
  v1::PutVhostResponse response;
  const absl::Status status =
      connection->Call(connection->admin(), &v1::AdminService::Stub::PutVhost,
                       request, &response);
  if (!status.ok()) return status;
  output->PrintPut("vhost", flags.name, response.created());
  return absl::OkStatus();
}

absl::Status DeleteVhost(const VhostFlags& flags, Connection* connection,
                         Output* output) {
  v1::DeleteVhostRequest request;
  request.set_name(flags.name);
  v1::DeleteVhostResponse response;
  const absl::Status status = connection->Call(
      connection->admin(), &v1::AdminService::Stub::DeleteVhost, request,
      &response);
  if (!status.ok()) return status;
  output->PrintDeleted("vhost", flags.name, response.deleted());
  return absl::OkStatus();
}

}  // namespace

void AddVhostCommands(CLI::App* app, int* exit_code) {
  CLI::App* group =
      AddGroup(app, "vhost", "Make, change or delete a virtual host");
  {
    auto flags = std::make_shared<VhostFlags>();
    CLI::App* command =
        AddCommand(group, "put", "Make a virtual host, or replace its settings",
                   {"kelpmq vhost put staging",
                    "kelpmq vhost put staging --max-queues 100 --description "
                    "'for the staging team'"});
    command->add_option("NAME", flags->name, "Name of the virtual host")
        ->required();
    command->add_option("--description", flags->description, "For people")
        ->type_name("TEXT");
    AddRepeatable(command, "--tag", &flags->tags, "A tag; may be repeated")
        ->type_name("TAG");
    command
        ->add_option("--default-queue-type", flags->default_queue_type,
                     "Type of queues that name none")
        ->type_name("TYPE");
    command->add_option("--max-queues", flags->max_queues, "Most queues in it")
        ->type_name("N");
    command
        ->add_option("--max-connections", flags->max_connections,
                     "Most sessions in it")
        ->type_name("N");
    AddClientFlags(command, &flags->client, VhostFlag::kNo);
    OnRun(command, std::move(flags), exit_code, &PutVhost);
  }
  {
    auto flags = std::make_shared<VhostFlags>();
    CLI::App* command = AddCommand(
        group, "delete",
        "Delete a virtual host with all exchanges, queues and messages in it",
        {"kelpmq vhost delete staging"});
    command->add_option("NAME", flags->name, "Name of the virtual host")
        ->required();
    AddClientFlags(command, &flags->client, VhostFlag::kNo);
    OnRun(command, std::move(flags), exit_code, &DeleteVhost);
  }
}

}  // namespace kelpmq::service::cli
