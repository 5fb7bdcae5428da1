// `list exchanges|queues|bindings|consumers|policies|vhosts`; the rest of
// `list` is in list_users.cc.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/list_print.h"
#include "service/cli/pages.h"
#include "service/cli/text.h"
#include "service/cli/topology_json.h"
#include "service/cli/value_json.h"

namespace kelpmq::service::cli {
namespace {

using Align = Table::Align;

struct ListFlags {
  ClientFlags client;
  std::string prefix;
  std::string queue;
  CLI::Option* source = nullptr;  // set at all? "" is an exchange's name
  CLI::Option* destination = nullptr;
  std::string source_name;
  std::string destination_name;
};

// Joins the names of the flags that are set: "durable auto-delete".
std::string FlagNames(
    std::initializer_list<std::pair<bool, absl::string_view>> flags) {
  std::vector<absl::string_view> names;
  for (const auto& [is_set, name] : flags) {
    if (is_set) names.push_back(name);
  }
  return absl::StrJoin(names, " ");
}

std::string ExchangeName(const std::string& name) {
  return name.empty() ? "(default)" : name;
}

std::string InVhost(absl::string_view what, const Connection& connection) {
  return absl::StrCat(what, " in vhost '", OneLine(connection.vhost_name()),
                      "'");
}

absl::Status ListExchanges(const ListFlags& flags, Connection* connection,
                           Output* output) {
  v1::ListExchangesRequest request;
  request.set_vhost(connection->vhost());
  request.set_name_prefix(flags.prefix);
  return PrintItems(
      FetchExchanges(connection, request),
      {{"NAME"}, {"TYPE"}, {"FLAGS"}, {"ARGUMENTS"}},
      [](const v1::Exchange& exchange) -> std::vector<std::string> {
        return {ExchangeName(exchange.name()), exchange.type(),
                FlagNames({{exchange.durable(), "durable"},
                           {exchange.auto_delete(), "auto-delete"},
                           {exchange.internal(), "internal"}}),
                Summary(exchange.arguments())};
      },
      InVhost("exchanges", *connection), output);
}

absl::Status ListQueues(const ListFlags& flags, Connection* connection,
                        Output* output) {
  v1::ListQueuesRequest request;
  request.set_vhost(connection->vhost());
  request.set_name_prefix(flags.prefix);
  return PrintItems(
      FetchQueues(connection, request),
      {{"NAME"},
       {"READY", Align::kRight},
       {"UNACKED", Align::kRight},
       {"CONSUMERS", Align::kRight},
       {"BYTES", Align::kRight},
       {"FLAGS"},
       {"ARGUMENTS"}},
      [](const v1::Queue& queue) -> std::vector<std::string> {
        return {queue.name(),
                absl::StrCat(queue.messages_ready()),
                absl::StrCat(queue.messages_unacked()),
                absl::StrCat(queue.consumer_count()),
                absl::StrCat(queue.message_bytes()),
                FlagNames({{queue.durable(), "durable"},
                           {queue.exclusive(), "exclusive"},
                           {queue.auto_delete(), "auto-delete"}}),
                Summary(queue.arguments())};
      },
      InVhost("queues", *connection), output);
}

absl::Status ListBindings(const ListFlags& flags, Connection* connection,
                          Output* output) {
  v1::ListBindingsRequest request;
  request.set_vhost(connection->vhost());
  if (flags.source->count() > 0) request.set_source(flags.source_name);
  if (flags.destination->count() > 0) {
    request.set_destination(flags.destination_name);
  }
  return PrintItems(
      FetchBindings(connection, request),
      {{"SOURCE"}, {"TO"}, {"DESTINATION"}, {"ROUTING KEY"}, {"ARGUMENTS"}},
      [](const v1::Binding& binding) -> std::vector<std::string> {
        return {ExchangeName(binding.source()),
                std::string(NameOf(binding.destination_type())),
                binding.destination(), binding.routing_key(),
                Summary(binding.arguments())};
      },
      InVhost("bindings", *connection), output);
}

absl::Status ListConsumers(const ListFlags& flags, Connection* connection,
                           Output* output) {
  v1::ListConsumersRequest request;
  request.set_vhost(connection->vhost());
  request.set_queue(flags.queue);
  return PrintItems(
      FetchConsumers(connection, request),
      {{"QUEUE"},
       {"CONSUMER TAG"},
       {"UNACKED", Align::kRight},
       {"PREFETCH", Align::kRight},
       {"PRIORITY", Align::kRight},
       {"FLAGS"},
       {"CLIENT"}},
      [](const v1::ConsumerInfo& consumer) -> std::vector<std::string> {
        return {consumer.queue(),
                consumer.consumer_tag(),
                absl::StrCat(consumer.unacked_count()),
                absl::StrCat(consumer.prefetch_count()),
                absl::StrCat(consumer.priority()),
                FlagNames({{consumer.auto_ack(), "auto-ack"},
                           {consumer.exclusive(), "exclusive"},
                           {!consumer.active(), "standby"}}),
                consumer.client_name().empty() ? consumer.peer()
                                               : consumer.client_name()};
      },
      InVhost("consumers", *connection), output);
}

absl::Status ListPolicies(const ListFlags&, Connection* connection,
                          Output* output) {
  v1::ListPoliciesRequest request;
  request.set_vhost(std::string(connection->vhost_name()));
  return PrintItems(
      FetchPolicies(connection, request),
      {{"NAME"},
       {"PATTERN"},
       {"APPLIES TO"},
       {"PRIORITY", Align::kRight},
       {"SETTINGS"}},
      [](const v1::Policy& policy) -> std::vector<std::string> {
        return {policy.name(), policy.pattern(),
                std::string(NameOf(policy.apply_to())),
                absl::StrCat(policy.priority()), Summary(policy.definition())};
      },
      InVhost("policies", *connection), output);
}

absl::Status ListVhosts(const ListFlags&, Connection* connection,
                        Output* output) {
  return PrintItems(
      FetchVhosts(connection),
      {{"NAME"}, {"LIMITS"}, {"TAGS"}, {"DESCRIPTION"}},
      [](const v1::Vhost& vhost) -> std::vector<std::string> {
        std::vector<std::string> limits;
        if (vhost.has_max_queues()) {
          limits.push_back(absl::StrCat("max-queues=", vhost.max_queues()));
        }
        if (vhost.has_max_connections()) {
          limits.push_back(
              absl::StrCat("max-connections=", vhost.max_connections()));
        }
        return {vhost.name(), absl::StrJoin(limits, " "),
                absl::StrJoin(vhost.tags(), ","), vhost.description()};
      },
      "vhosts", output);
}

using Run = absl::Status (*)(const ListFlags&, Connection*, Output*);

// Adds one list; `add_filters` adds the options that are its own.
template <typename AddFilters>
void AddList(CLI::App* group, const std::string& what,
             const std::string& description,
             const std::vector<std::string>& examples, int* exit_code, Run run,
             AddFilters add_filters) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App* command = AddCommand(group, what, description, examples);
  add_filters(command, flags.get());
  AddClientFlags(command, &flags->client,
                 what == "vhosts" ? VhostFlag::kNo : VhostFlag::kYes);
  OnRun(command, std::move(flags), exit_code, run);
}

}  // namespace

void AddListCommands(CLI::App* app, int* exit_code) {
  CLI::App* group = AddGroup(
      app, "list",
      "Show exchanges, queues, bindings, consumers, policies, vhosts, users or "
      "permissions");
  const auto with_prefix = [](CLI::App* command, ListFlags* flags) {
    command
        ->add_option("--prefix", flags->prefix,
                     "Only names that start with this")
        ->type_name("TEXT");
  };
  AddList(
      group, "exchanges", "Show the exchanges of a vhost",
      {"kelpmq list exchanges", "kelpmq list exchanges --prefix app. --json"},
      exit_code, &ListExchanges, with_prefix);
  AddList(group, "queues", "Show the queues of a vhost and what is in them",
          {"kelpmq list queues",
           "kelpmq list queues --json | jq '.[] | select(.messages_ready > "
           "1000) | .name'"},
          exit_code, &ListQueues, with_prefix);
  AddList(group, "bindings", "Show the bindings of a vhost",
          {"kelpmq list bindings", "kelpmq list bindings --source logs",
           "kelpmq list bindings --destination jobs"},
          exit_code, &ListBindings, [](CLI::App* command, ListFlags* flags) {
            flags->source =
                command
                    ->add_option(
                        "--source", flags->source_name,
                        "Only those of this exchange; '' is the default "
                        "exchange")
                    ->type_name("NAME");
            flags->destination =
                command
                    ->add_option("--destination", flags->destination_name,
                                 "Only those to this queue or exchange")
                    ->type_name("NAME");
          });
  AddList(
      group, "consumers", "Show the consumers of a vhost",
      {"kelpmq list consumers", "kelpmq list consumers --queue jobs"},
      exit_code, &ListConsumers, [](CLI::App* command, ListFlags* flags) {
        command->add_option("--queue", flags->queue, "Only those of this queue")
            ->type_name("NAME");
      });
  AddList(group, "policies", "Show the policies of a vhost",
          {"kelpmq list policies", "kelpmq list policies --json"}, exit_code,
          &ListPolicies, [](CLI::App*, ListFlags*) {});
  AddList(group, "vhosts", "Show the virtual hosts",
          {"kelpmq list vhosts", "kelpmq list vhosts --json"}, exit_code,
          &ListVhosts, [](CLI::App*, ListFlags*) {});
  AddUserLists(group, exit_code);
}

}  // namespace kelpmq::service::cli
