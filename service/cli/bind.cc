// `bind` and `unbind`, of queues and of exchanges.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/text.h"
#include "service/cli/topology_json.h"
#include "service/cli/value_json.h"

namespace kelpmq::service::cli {
namespace {

struct BindFlags {
  ClientFlags client;
  std::string destination;  // a queue's or an exchange's name
  std::string source;       // the exchange that messages come from
  std::string routing_key;
  std::vector<std::string> arguments;
};

// The requests for queues and for exchanges differ only in the names of two
// fields.
void SetEnds(const BindFlags& flags, v1::BindQueueRequest* request) {
  request->set_queue(flags.destination);
  request->set_exchange(flags.source);
}
void SetEnds(const BindFlags& flags, v1::UnbindQueueRequest* request) {
  request->set_queue(flags.destination);
  request->set_exchange(flags.source);
}
void SetEnds(const BindFlags& flags, v1::BindExchangeRequest* request) {
  request->set_destination(flags.destination);
  request->set_source(flags.source);
}
void SetEnds(const BindFlags& flags, v1::UnbindExchangeRequest* request) {
  request->set_destination(flags.destination);
  request->set_source(flags.source);
}

template <typename Request, typename Response>
absl::Status Send(const BindFlags& flags, Connection* connection,
                  grpc::Status (v1::TopologyService::Stub::*method)(
                      grpc::ClientContext*, const Request&, Response*),
                  Response* response) {
  Request request;
  request.set_vhost(connection->vhost());
  SetEnds(flags, &request);
  request.set_routing_key(flags.routing_key);
  const absl::Status status =
      AddArguments(flags.arguments, "--argument", request.mutable_arguments());
  if (!status.ok()) return status;
  return connection->Call(connection->topology(), method, request, response);
}

// "exchange 'logs' -> queue 'jobs' with 'a.*'".
std::string Described(const BindFlags& flags, absl::string_view kind) {
  std::string line = absl::StrCat("exchange '", OneLine(flags.source), "' -> ",
                                  kind, " '", OneLine(flags.destination), "'");
  if (!flags.routing_key.empty()) {
    absl::StrAppend(&line, " with '", OneLine(flags.routing_key), "'");
  }
  return line;
}

template <typename Response>
absl::Status PrintBound(const BindFlags& flags, const Response& response,
                        absl::string_view kind, Output* output) {
  if (output->json()) {
    nlohmann::ordered_json json;
    json["created"] = response.created();
    json["binding"] = JsonOf(response.binding());
    output->PrintJson(json);
  } else {
    output->PrintLine(absl::StrCat(
        response.created() ? "bound: " : "is bound: ", Described(flags, kind)));
  }
  return absl::OkStatus();
}

template <typename Response>
absl::Status PrintUnbound(const BindFlags& flags, const Response& response,
                          absl::string_view kind, Output* output) {
  if (output->json()) {
    nlohmann::ordered_json json;
    json["deleted"] = response.deleted();
    output->PrintJson(json);
  } else {
    output->PrintLine(
        absl::StrCat(response.deleted() ? "unbound: " : "no such binding: ",
                     Described(flags, kind)));
  }
  return absl::OkStatus();
}

absl::Status BindQueue(const BindFlags& flags, Connection* connection,
                       Output* output) {
  v1::BindQueueResponse response;
  const absl::Status status = Send<v1::BindQueueRequest>(
      flags, connection, &v1::TopologyService::Stub::BindQueue, &response);
  return status.ok() ? PrintBound(flags, response, "queue", output) : status;
}

absl::Status BindExchange(const BindFlags& flags, Connection* connection,
                          Output* output) {
  v1::BindExchangeResponse response;
  const absl::Status status = Send<v1::BindExchangeRequest>(
      flags, connection, &v1::TopologyService::Stub::BindExchange, &response);
  return status.ok() ? PrintBound(flags, response, "exchange", output) : status;
}

absl::Status UnbindQueue(const BindFlags& flags, Connection* connection,
                         Output* output) {
  v1::UnbindQueueResponse response;
  const absl::Status status = Send<v1::UnbindQueueRequest>(
      flags, connection, &v1::TopologyService::Stub::UnbindQueue, &response);
  return status.ok() ? PrintUnbound(flags, response, "queue", output) : status;
}

absl::Status UnbindExchange(const BindFlags& flags, Connection* connection,
                            Output* output) {
  v1::UnbindExchangeResponse response;
  const absl::Status status = Send<v1::UnbindExchangeRequest>(
      flags, connection, &v1::TopologyService::Stub::UnbindExchange, &response);
  return status.ok() ? PrintUnbound(flags, response, "exchange", output)
                     : status;
}

using Run = absl::Status (*)(const BindFlags&, Connection*, Output*);

void AddOne(CLI::App* group, const std::string& kind,
            const std::string& description,
            const std::vector<std::string>& examples, int* exit_code, Run run) {
  auto flags = std::make_shared<BindFlags>();
  CLI::App* command = AddCommand(group, kind, description, examples);
  const bool is_queue = kind == "queue";
  command
      ->add_option(is_queue ? "QUEUE" : "EXCHANGE", flags->destination,
                   is_queue ? "The queue that gets the messages"
                            : "The exchange that gets the messages")
      ->required();
  command
      ->add_option("--exchange,--source", flags->source,
                   "The exchange that the messages come from")
      ->type_name("NAME")
      ->required();
  command
      ->add_option("--routing-key", flags->routing_key,
                   "Binding key: exact (direct), or a pattern of words with * "
                   "and # (topic)")
      ->type_name("KEY");
  AddRepeatable(command, "--argument", &flags->arguments,
                "Header to match (headers exchange), or x-match=all|any")
      ->type_name("KEY=VALUE");
  AddClientFlags(command, &flags->client);
  OnRun(command, std::move(flags), exit_code, run);
}

}  // namespace

void AddBindCommands(CLI::App* app, int* exit_code) {
  CLI::App* bind =
      AddGroup(app, "bind", "Let an exchange route to a queue or exchange");
  AddOne(
      bind, "queue", "Let an exchange route messages to a queue",
      {"kelpmq bind queue jobs --exchange work --routing-key jobs",
       "kelpmq bind queue errors --exchange logs --routing-key 'app.*.error'",
       "kelpmq bind queue pdfs --exchange docs --argument x-match=all "
       "--argument format=pdf"},
      exit_code, &BindQueue);
  AddOne(bind, "exchange", "Let an exchange route messages to another exchange",
         {"kelpmq bind exchange audit --source logs --routing-key '#'"},
         exit_code, &BindExchange);

  CLI::App* unbind = AddGroup(app, "unbind", "Remove a binding");
  AddOne(unbind, "queue",
         "Remove a binding of a queue; key and arguments "
         "must be those it was made with",
         {"kelpmq unbind queue jobs --exchange work --routing-key jobs",
          "kelpmq list bindings --destination jobs    # what there is"},
         exit_code, &UnbindQueue);
  AddOne(unbind, "exchange",
         "Remove a binding of an exchange; key and "
         "arguments must be those it was made with",
         {"kelpmq unbind exchange audit --source logs --routing-key '#'"},
         exit_code, &UnbindExchange);
}

}  // namespace kelpmq::service::cli
