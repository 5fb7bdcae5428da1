// `delete` and `purge`.
#include <string>

#include "absl/strings/str_cat.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

struct DeleteFlags {
  ClientFlags client;
  std::string name;
  bool if_unused = false;
  bool if_empty = false;
};

absl::Status DeleteExchange(const DeleteFlags& flags, Connection* connection,
                            Output* output) {
  v1::DeleteExchangeRequest request;
  request.set_vhost(connection->vhost());
  request.set_name(flags.name);
  request.set_if_unused(flags.if_unused);
  v1::DeleteExchangeResponse response;
  const absl::Status status = connection->Call(
      connection->topology(), &v1::TopologyService::Stub::DeleteExchange,
      request, &response);
  if (!status.ok()) return status;
  output->PrintDeleted("exchange", flags.name, response.deleted());
  return absl::OkStatus();
}

absl::Status DeleteQueue(const DeleteFlags& flags, Connection* connection,
                         Output* output) {
  v1::DeleteQueueRequest request;
  request.set_vhost(connection->vhost());
  request.set_name(flags.name);
  request.set_if_unused(flags.if_unused);
  request.set_if_empty(flags.if_empty);
  v1::DeleteQueueResponse response;
  const absl::Status status = connection->Call(
      connection->topology(), &v1::TopologyService::Stub::DeleteQueue, request,
      &response);
  if (!status.ok()) return status;
  if (output->json()) {
    nlohmann::ordered_json json;
    json["deleted"] = response.deleted();
    json["message_count"] = response.message_count();
    output->PrintJson(json);
  } else if (response.deleted()) {
    output->PrintLine(absl::StrCat("queue '", OneLine(flags.name),
                                   "' deleted with ",
                                   Count(response.message_count(), "message")));
  } else {
    output->PrintLine(
        absl::StrCat("queue '", OneLine(flags.name), "' was not there"));
  }
  return absl::OkStatus();
}

absl::Status PurgeQueue(const DeleteFlags& flags, Connection* connection,
                        Output* output) {
  v1::PurgeQueueRequest request;
  request.set_vhost(connection->vhost());
  request.set_name(flags.name);
  v1::PurgeQueueResponse response;
  const absl::Status status = connection->Call(
      connection->topology(), &v1::TopologyService::Stub::PurgeQueue, request,
      &response);
  if (!status.ok()) return status;
  if (output->json()) {
    nlohmann::ordered_json json;
    json["message_count"] = response.message_count();
    output->PrintJson(json);
  } else {
    output->PrintLine(absl::StrCat(Count(response.message_count(), "message"),
                                   " purged from queue '", OneLine(flags.name),
                                   "'"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddDeleteCommands(CLI::App* app, int* exit_code) {
  CLI::App* group = AddGroup(app, "delete", "Delete an exchange or a queue");
  {
    auto flags = std::make_shared<DeleteFlags>();
    CLI::App* command =
        AddCommand(group, "exchange",
                   "Delete an exchange and its bindings; one that is not there "
                   "is no error",
                   {"kelpmq delete exchange logs",
                    "kelpmq delete exchange logs --if-unused"});
    command->add_option("NAME", flags->name, "Name of the exchange")
        ->required();
    command->add_flag("--if-unused", flags->if_unused,
                      "Only if it has no bindings");
    AddClientFlags(command, &flags->client);
    OnRun(command, std::move(flags), exit_code, &DeleteExchange);
  }
  {
    auto flags = std::make_shared<DeleteFlags>();
    CLI::App* command = AddCommand(
        group, "queue",
        "Delete a queue with its messages; one that is not there is no error",
        {"kelpmq delete queue jobs",
         "kelpmq delete queue jobs --if-unused --if-empty"});
    command->add_option("NAME", flags->name, "Name of the queue")->required();
    command->add_flag("--if-unused", flags->if_unused,
                      "Only if it has no consumers");
    command->add_flag("--if-empty", flags->if_empty,
                      "Only if it has no ready messages");
    AddClientFlags(command, &flags->client);
    OnRun(command, std::move(flags), exit_code, &DeleteQueue);
  }
  {
    auto flags = std::make_shared<DeleteFlags>();
    CLI::App* command = AddCommand(
        app, "purge", "Drop the ready messages of a queue; unacked ones stay",
        {"kelpmq purge jobs"});
    command->add_option("QUEUE", flags->name, "Name of the queue")->required();
    AddClientFlags(command, &flags->client);
    OnRun(command, std::move(flags), exit_code, &PurgeQueue);
  }
}

}  // namespace kelpmq::service::cli
