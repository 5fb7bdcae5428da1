// `policy put` and `policy delete`.
#include <string>
#include <vector>

#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/topology_json.h"
#include "service/cli/value_json.h"

namespace kelpmq::service::cli {
namespace {

struct PolicyFlags {
  ClientFlags client;
  std::string name;
  std::string pattern;
  std::vector<std::string> definition;
  int32_t priority = 0;
  v1::PolicyTarget apply_to = v1::POLICY_TARGET_ALL;
};

absl::Status PutPolicy(const PolicyFlags& flags, Connection* connection,
                       Output* output) {
  v1::PutPolicyRequest request;
  v1::Policy* policy = request.mutable_policy();
  policy->set_vhost(connection->vhost());
  policy->set_name(flags.name);
  policy->set_pattern(flags.pattern);
  policy->set_priority(flags.priority);
  policy->set_apply_to(flags.apply_to);
  const absl::Status read =
      AddArguments(flags.definition, "SETTING", policy->mutable_definition());
  if (!read.ok()) return read;
  v1::PutPolicyResponse response;
  const absl::Status status =
      connection->Call(connection->admin(), &v1::AdminService::Stub::PutPolicy,
                       request, &response);
  if (!status.ok()) return status;
  output->PrintPut("policy", flags.name, response.created());
  return absl::OkStatus();
}

absl::Status DeletePolicy(const PolicyFlags& flags, Connection* connection,
                          Output* output) {
  v1::DeletePolicyRequest request;
  request.set_vhost(connection->vhost());
  request.set_name(flags.name);
  v1::DeletePolicyResponse response;
  const absl::Status status = connection->Call(
      connection->admin(), &v1::AdminService::Stub::DeletePolicy, request,
      &response);
  if (!status.ok()) return status;
  output->PrintDeleted("policy", flags.name, response.deleted());
  return absl::OkStatus();
}

}  // namespace

void AddPolicyCommands(CLI::App* app, int* exit_code) {
  CLI::App* group = AddGroup(app, "policy", "Make, change or delete a policy");
  {
    auto flags = std::make_shared<PolicyFlags>();
    CLI::App* command = AddCommand(
        group, "put",
        "Set arguments for all queues or exchanges whose name matches",
        {"kelpmq policy put short '^tmp' max-length=1000 message-ttl=60000",
         "kelpmq policy put dead '' dead-letter-exchange=dlx --apply-to queues",
         "kelpmq policy put lost '^app[.]' alternate-exchange=unrouted "
         "--apply-to exchanges"});
    command->add_option("NAME", flags->name, "Name of the policy")->required();
    command
        ->add_option("PATTERN", flags->pattern,
                     "Regular expression on names; not anchored")
        ->required();
    command
        ->add_option("SETTING", flags->definition,
                     "An argument without its x-, as KEY=VALUE; the value is "
                     "JSON, else a string")
        ->required();
    command
        ->add_option("--priority", flags->priority,
                     "Of several policies the highest holds alone")
        ->type_name("N")
        ->capture_default_str();
    command
        ->add_option(
            "--apply-to", flags->apply_to,
            "all (default), queues, classic_queues, quorum_queues, streams "
            "or exchanges")
        ->type_name("WHAT")
        ->transform(OneOf(PolicyTargets()));
    AddClientFlags(command, &flags->client);
    OnRun(command, std::move(flags), exit_code, &PutPolicy);
  }
  {
    auto flags = std::make_shared<PolicyFlags>();
    CLI::App* command =
        AddCommand(group, "delete", "Delete a policy and undo what it did",
                   {"kelpmq policy delete short"});
    command->add_option("NAME", flags->name, "Name of the policy")->required();
    AddClientFlags(command, &flags->client);
    OnRun(command, std::move(flags), exit_code, &DeletePolicy);
  }
}

}  // namespace kelpmq::service::cli
