// `definitions import` and `definitions export`.
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

constexpr char kStandardInput[] = "-";

struct DefinitionsFlags {
  ClientFlags client;
  std::string file = kStandardInput;
  bool validate_only = false;
};

absl::StatusOr<std::string> ReadDocument(const std::string& path) {
  std::stringstream content;
  if (path == kStandardInput) {
    content << std::cin.rdbuf();
  } else {
    std::ifstream file(path, std::ios::binary);
    if (file) content << file.rdbuf();
    if (!file) {
      return MakeFailure(ExitCode::kUsage,
                         absl::StrCat("cannot read ", OneLine(path), ": ",
                                      std::strerror(errno)));
    }
  }
  return content.str();
}

absl::Status Import(const DefinitionsFlags& flags, Connection* connection,
                    Output* output) {
  absl::StatusOr<std::string> document = ReadDocument(flags.file);
  if (!document.ok()) return document.status();
  v1::ImportDefinitionsRequest request;
  request.set_json(*std::move(document));
  if (!connection->vhost().empty()) request.set_vhost(connection->vhost());
  request.set_validate_only(flags.validate_only);
  v1::ImportDefinitionsResponse response;
  const absl::Status status = connection->Call(
      connection->admin(), &v1::AdminService::Stub::ImportDefinitions, request,
      &response);
  if (!status.ok()) return status;
  if (output->json()) {
    nlohmann::ordered_json json;
    json["created_count"] = response.created_count();
    json["unchanged_count"] = response.unchanged_count();
    json["conflicts"] = nlohmann::ordered_json::array();
    for (const std::string& conflict : response.conflicts()) {
      json["conflicts"].push_back(conflict);
    }
    json["ignored_sections"] = nlohmann::ordered_json::array();
    for (const std::string& section : response.ignored_sections()) {
      json["ignored_sections"].push_back(section);
    }
    output->PrintJson(json);
    return absl::OkStatus();
  }
  output->PrintLine(absl::StrCat(response.created_count(),
                                 flags.validate_only
                                     ? " would be made or changed, "
                                     : " made or changed, ",
                                 response.unchanged_count(), " there already"));
  for (const std::string& conflict : response.conflicts()) {
    output->Warn(OneLine(conflict), "it was left as it is");
  }
  if (response.ignored_sections_size() > 0) {
    output->Note(absl::StrCat(
        "kept but not applied: ",
        OneLine(absl::StrJoin(response.ignored_sections(), ", "))));
  }
  return absl::OkStatus();
}

absl::Status Export(const DefinitionsFlags& flags, Connection* connection,
                    Output* output) {
  v1::ExportDefinitionsRequest request;
  if (!connection->vhost().empty()) request.set_vhost(connection->vhost());
  v1::ExportDefinitionsResponse response;
  const absl::Status status = connection->Call(
      connection->admin(), &v1::AdminService::Stub::ExportDefinitions, request,
      &response);
  if (!status.ok()) return status;
  output->PrintBytes(response.json());
  return absl::OkStatus();
}

}  // namespace

void AddDefinitionsCommands(CLI::App* app, int* exit_code) {
  CLI::App* group =
      AddGroup(app, "definitions",
               "Bring in or write out what a broker holds but messages, as "
               "RabbitMQ's definitions.json");
  {
    auto flags = std::make_shared<DefinitionsFlags>();
    CLI::App* command = AddCommand(
        group, "import",
        "Make what a definitions document has: vhosts, users, permissions, "
        "exchanges, queues, bindings, policies",
        {"kelpmq definitions import definitions.json",
         "kelpmq definitions import definitions.json --validate-only",
         "rabbitmqctl export_definitions - | kelpmq definitions import"},
        "The document is checked as a whole first. What is there already is\n"
        "changed if it can be, and left alone otherwise.");
    command->add_option("FILE", flags->file, "Document; - is standard input")
        ->capture_default_str();
    command->add_flag("--validate-only", flags->validate_only,
                      "Change nothing");
    AddClientFlags(command, &flags->client);
    OnRun(command, std::move(flags), exit_code, &Import);
  }
  {
    auto flags = std::make_shared<DefinitionsFlags>();
    CLI::App* command = AddCommand(
        group, "export", "Write a definitions document to standard output",
        {"kelpmq definitions export >definitions.json",
         "kelpmq definitions export --vhost staging"},
        "Password hashes are among it: keep the file to yourself.");
    AddClientFlags(command, &flags->client);
    OnRun(command, std::move(flags), exit_code, &Export);
  }
}

}  // namespace kelpmq::service::cli
