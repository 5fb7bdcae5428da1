// `declare exchange` and `declare queue`.
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/exchange_type_names.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/text.h"
#include "service/cli/topology_json.h"
#include "service/cli/value_json.h"

namespace kelpmq::service::cli {
namespace {

constexpr char kOptionsGroup[] = "Queue options";  // a heading of --help

struct DeclareExchangeFlags {
  ClientFlags client;
  std::string name;
  std::string type;
  bool passive = false;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  std::string alternate_exchange;
  std::vector<std::string> arguments;
};

struct DeclareQueueFlags {
  ClientFlags client;
  std::string name;
  bool passive = false;
  bool durable = false;
  bool auto_delete = false;
  std::vector<std::string> arguments;
  // The API's QueueOptions.
  std::optional<uint64_t> message_ttl_ms;
  std::optional<uint64_t> expires_ms;
  std::optional<uint64_t> max_length;
  std::optional<uint64_t> max_length_bytes;
  std::string overflow;
  std::optional<std::string> dead_letter_exchange;
  std::optional<std::string> dead_letter_routing_key;
  std::optional<uint32_t> max_priority;
  bool single_active_consumer = false;
  std::string queue_type;
  std::optional<uint32_t> delivery_limit;
  std::optional<uint64_t> consumer_timeout_ms;
};

absl::Status DeclareExchange(const DeclareExchangeFlags& flags,
                             Connection* connection, Output* output) {
  v1::DeclareExchangeRequest request;
  request.set_vhost(connection->vhost());
  request.set_name(flags.name);
  request.set_type(flags.type);
  request.set_passive(flags.passive);
  request.set_durable(flags.durable);
  request.set_auto_delete(flags.auto_delete);
  request.set_internal(flags.internal);
  request.set_alternate_exchange(flags.alternate_exchange);
  absl::Status status =
      AddArguments(flags.arguments, "--argument", request.mutable_arguments());
  if (!status.ok()) return status;

  v1::DeclareExchangeResponse response;
  status = connection->Call(connection->topology(),
                            &v1::TopologyService::Stub::DeclareExchange,
                            request, &response);
  if (!status.ok()) return status;
  if (output->json()) {
    nlohmann::ordered_json json;
    json["created"] = response.created();
    json["exchange"] = JsonOf(response.exchange());
    output->PrintJson(json);
    return absl::OkStatus();
  }
  const v1::Exchange& exchange = response.exchange();
  output->PrintLine(absl::StrCat(
      OneLine(exchange.type()), " exchange '", OneLine(exchange.name()), "' ",
      response.created() ? "declared" : "is there", " in vhost '",
      OneLine(exchange.vhost()), "'"));
  return absl::OkStatus();
}

void SetOptions(const DeclareQueueFlags& flags, v1::QueueOptions* options) {
  if (flags.message_ttl_ms) options->set_message_ttl_ms(*flags.message_ttl_ms);
  if (flags.expires_ms) options->set_expires_ms(*flags.expires_ms);
  if (flags.max_length) options->set_max_length(*flags.max_length);
  if (flags.max_length_bytes) {
    options->set_max_length_bytes(*flags.max_length_bytes);
  }
  options->set_overflow(flags.overflow);
  if (flags.dead_letter_exchange) {
    options->set_dead_letter_exchange(*flags.dead_letter_exchange);
  }
  if (flags.dead_letter_routing_key) {
    options->set_dead_letter_routing_key(*flags.dead_letter_routing_key);
  }
  if (flags.max_priority) options->set_max_priority(*flags.max_priority);
  if (flags.single_active_consumer) {
    options->set_single_active_consumer(true);
  }
  options->set_queue_type(flags.queue_type);
  if (flags.delivery_limit) options->set_delivery_limit(*flags.delivery_limit);
  if (flags.consumer_timeout_ms) {
    options->set_consumer_timeout_ms(*flags.consumer_timeout_ms);
  }
}

absl::Status DeclareQueue(const DeclareQueueFlags& flags,
                          Connection* connection, Output* output) {
  v1::DeclareQueueRequest request;
  request.set_vhost(connection->vhost());
  request.set_name(flags.name);
  request.set_passive(flags.passive);
  request.set_durable(flags.durable);
  request.set_auto_delete(flags.auto_delete);
  SetOptions(flags, request.mutable_options());
  absl::Status status =
      AddArguments(flags.arguments, "--argument", request.mutable_arguments());
  if (!status.ok()) return status;

  v1::DeclareQueueResponse response;
  status = connection->Call(connection->topology(),
                            &v1::TopologyService::Stub::DeclareQueue, request,
                            &response);
  if (!status.ok()) return status;
  if (output->json()) {
    nlohmann::ordered_json json;
    json["created"] = response.created();
    json["queue"] = JsonOf(response.queue());
    output->PrintJson(json);
    return absl::OkStatus();
  }
  const v1::Queue& queue = response.queue();
  std::string line = absl::StrCat("queue '", OneLine(queue.name()), "' ",
                                  response.created() ? "declared" : "is there",
                                  " in vhost '", OneLine(queue.vhost()), "'");
  if (!response.created()) {
    absl::StrAppend(&line, ": ", Count(queue.messages_ready(), "message"),
                    " ready, ", Count(queue.consumer_count(), "consumer"));
  }
  output->PrintLine(line);
  return absl::OkStatus();
}

void AddDeclareExchange(CLI::App* group, int* exit_code) {
  auto flags = std::make_shared<DeclareExchangeFlags>();
  CLI::App* command = AddCommand(
      group, "exchange",
      "Make an exchange, or check that it is there with the same settings",
      {"kelpmq declare exchange logs --type topic",
       "kelpmq declare exchange events --type fanout --durable",
       "kelpmq declare exchange orders --alternate-exchange unrouted",
       "kelpmq declare exchange later --type x-delayed-message --argument "
       "x-delayed-type=topic",
       "kelpmq declare exchange logs --passive     # only check that it is "
       "there"});
  command->add_option("NAME", flags->name, "Name of the exchange")->required();
  command
      ->add_option("--type", flags->type,
                   absl::StrCat("One of ", absl::StrJoin(kExchangeTypes, ", "),
                                " (default direct)"))
      ->type_name("TYPE");
  command->add_flag("--durable", flags->durable,
                    "Survives a restart of a durable broker");
  command->add_flag("--auto-delete", flags->auto_delete,
                    "Goes when its last binding goes");
  command->add_flag("--internal", flags->internal,
                    "Only other exchanges can publish to it");
  command
      ->add_option("--alternate-exchange", flags->alternate_exchange,
                   "Exchange for messages that no binding matches")
      ->type_name("NAME");
  AddRepeatable(command, "--argument", &flags->arguments,
                "Any other argument; the value is JSON, else a string")
      ->type_name("KEY=VALUE");
  command->add_flag("--passive", flags->passive,
                    "Only check that it is there; make nothing");
  AddClientFlags(command, &flags->client);
  OnRun(command, std::move(flags), exit_code, &DeclareExchange);
}

void AddQueueOptions(CLI::App* command, DeclareQueueFlags* flags) {
  const auto add = [command](const std::string& name, auto* target,
                             const std::string& text, const char* type) {
    command->add_option(name, *target, text)
        ->type_name(type)
        ->group(kOptionsGroup);
  };
  add("--expires-ms", &flags->expires_ms,
      "The queue goes when it was unused for so long", "MS");
  add("--message-ttl-ms", &flags->message_ttl_ms,
      "Messages older than this are dropped or dead-lettered", "MS");
  add("--max-length", &flags->max_length, "Most ready messages", "N");
  add("--max-length-bytes", &flags->max_length_bytes,
      "Most bytes of ready bodies", "BYTES");
  add("--overflow", &flags->overflow,
      "What a full queue does: drop-head, reject-publish or "
      "reject-publish-dlx",
      "HOW");
  add("--dead-letter-exchange", &flags->dead_letter_exchange,
      "Where rejected, expired and dropped messages go", "NAME");
  add("--dead-letter-routing-key", &flags->dead_letter_routing_key,
      "Routing key of dead letters; default: their own", "KEY");
  add("--max-priority", &flags->max_priority,
      "Order messages by priority, 0 to this", "N");
  add("--queue-type", &flags->queue_type, "x-queue-type", "TYPE");
  add("--delivery-limit", &flags->delivery_limit,
      "Deliveries before a message is dead-lettered", "N");
  add("--consumer-timeout-ms", &flags->consumer_timeout_ms,
      "Deliveries unsettled for so long are requeued", "MS");
  command
      ->add_flag("--single-active-consumer", flags->single_active_consumer,
                 "Deliver to one consumer at a time; the others stand by")
      ->group(kOptionsGroup);
}

void AddDeclareQueue(CLI::App* group, int* exit_code) {
  auto flags = std::make_shared<DeclareQueueFlags>();
  CLI::App* command = AddCommand(
      group, "queue",
      "Make a queue, or check that it is there with the same settings",
      {"kelpmq declare queue jobs",
       "kelpmq declare queue jobs --durable --max-length 100000",
       "kelpmq declare queue retry --message-ttl-ms 30000 "
       "--dead-letter-exchange jobs",
       "kelpmq declare queue events --argument x-max-priority=5",
       "kelpmq declare queue ''                    # the broker names it",
       "kelpmq declare queue jobs --passive        # only check, and count"});
  command
      ->add_option("NAME", flags->name,
                   "Name of the queue; '' lets the broker choose one")
      ->required();
  command->add_flag("--durable", flags->durable,
                    "Survives a restart of a durable broker");
  command->add_flag("--auto-delete", flags->auto_delete,
                    "Goes when its last consumer goes");
  AddRepeatable(command, "--argument", &flags->arguments,
                "Any other argument; the value is JSON, else a string")
      ->type_name("KEY=VALUE");
  command->add_flag("--passive", flags->passive,
                    "Only check that it is there; make nothing");
  AddQueueOptions(command, flags.get());
  AddClientFlags(command, &flags->client);
  OnRun(command, std::move(flags), exit_code, &DeclareQueue);
}

}  // namespace

void AddDeclareCommands(CLI::App* app, int* exit_code) {
  CLI::App* group =
      AddGroup(app, "declare", "Make an exchange or a queue, if it is new");
  AddDeclareExchange(group, exit_code);
  AddDeclareQueue(group, exit_code);
}

}  // namespace kelpmq::service::cli
