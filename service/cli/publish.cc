// `publish`.
#include <unistd.h>

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/clock.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/confirmed_publisher.h"
#include "service/cli/hints.h"
#include "service/cli/publish_input.h"
#include "service/cli/text.h"
#include "service/cli/timestamp.h"
#include "service/cli/value_json.h"

namespace kelpmq::service::cli {
namespace {

constexpr char kPropertiesGroup[] = "Properties";  // a heading of --help

// A batch ends at either, or when the input has nothing more at hand.
constexpr size_t kBatchMessages = 500;
constexpr size_t kBatchBytes = 256 * 1024;
// Short publishes show no progress; long ones change it so often.
constexpr absl::Duration kProgressInterval = absl::Milliseconds(250);

struct PublishFlags {
  ClientFlags client;
  std::vector<std::string> bodies;
  std::string jsonl;
  ConfirmedPublisher::Options routing;
  absl::Duration deliver_in = absl::ZeroDuration();
  std::vector<std::string> headers;
  bool persistent = false;
  std::string content_type;
  std::string content_encoding;
  std::string correlation_id;
  std::string reply_to;
  std::string expiration;
  std::string message_id;
  std::string type;
  std::string user_id;
  std::string app_id;
  uint32_t priority = 0;
  uint64_t timestamp = 0;
};

absl::StatusOr<v1::Message> PropertiesOf(const PublishFlags& flags) {
  v1::Message message;
  const absl::Status status =
      AddArguments(flags.headers, "--header", message.mutable_headers());
  if (!status.ok()) return status;
  if (flags.persistent) {
    message.set_delivery_mode(v1::DELIVERY_MODE_PERSISTENT);
  }
  message.set_content_type(flags.content_type);
  message.set_content_encoding(flags.content_encoding);
  message.set_correlation_id(flags.correlation_id);
  message.set_reply_to(flags.reply_to);
  message.set_expiration(flags.expiration);
  message.set_message_id(flags.message_id);
  message.set_type(flags.type);
  message.set_user_id(flags.user_id);
  message.set_app_id(flags.app_id);
  message.set_priority(flags.priority);
  message.set_timestamp(flags.timestamp);
  return message;
}

absl::StatusOr<std::unique_ptr<PublishInput>> InputOf(
    const PublishFlags& flags) {
  absl::StatusOr<v1::Message> base = PropertiesOf(flags);
  if (!base.ok()) return base.status();
  if (!flags.jsonl.empty()) {
    if (!flags.bodies.empty()) {
      return MakeFailure(ExitCode::kUsage,
                         "bodies come from --jsonl or from the command line, "
                         "not from both");
    }
    auto lines = OpenLines(flags.jsonl);
    if (!lines.ok()) return lines.status();
    return InputOfJsonLines(*std::move(lines), *std::move(base));
  }
  const bool dash = flags.bodies.size() == 1 && flags.bodies[0] == "-";
  if (!flags.bodies.empty() && !dash) {
    return InputOfBodies(flags.bodies, *std::move(base));
  }
  if (!dash && isatty(STDIN_FILENO) == 1) {
    return MakeFailure(ExitCode::kUsage, "nothing to publish",
                       "give a body: kelpmq publish --routing-key jobs hello; "
                       "or '-' to publish the lines you type");
  }
  auto lines = OpenLines("-");
  if (!lines.ok()) return lines.status();
  return InputOfLines(*std::move(lines), *std::move(base));
}

// Shows how far a long publish has come; silent when stderr is no terminal.
class Progress {
 public:
  explicit Progress(Output* output) : output_(output), start_(clock_.Now()) {}

  void Update(ConfirmedPublisher* publisher) {
    if (!output_->shows_progress()) return;
    const absl::Time now = clock_.Now();
    if (now - std::max(start_, last_) < kProgressInterval) return;
    last_ = now;
    const uint64_t done = publisher->totals().confirmed;
    const double rate =
        static_cast<double>(done) / absl::ToDoubleSeconds(now - start_);
    output_->ShowProgress(
        absl::StrCat("published ", Count(done, "message"), ", ",
                     Grouped(static_cast<uint64_t>(rate)), "/s"));
  }

 private:
  const RealClock clock_;
  Output* const output_;
  const absl::Time start_;
  absl::Time last_ = absl::InfinitePast();
};

// Sends all that the input has. The status is the input's.
//   deliver_in: how long a message waits that does not say when it is due.
absl::Status SendAll(PublishInput* input, absl::Duration deliver_in,
                     ConfirmedPublisher* publisher, Output* output) {
  const RealClock clock;
  Progress progress(output);
  for (bool more = true; more;) {
    std::vector<InputMessage> batch;
    size_t bytes = 0;
    absl::Status failure;
    while (batch.size() < kBatchMessages && bytes < kBatchBytes &&
           (batch.empty() || input->IsReady())) {
      absl::StatusOr<std::optional<InputMessage>> message = input->Next();
      if (!message.ok() || !message->has_value()) {
        failure = message.status();
        more = false;
        break;
      }
      v1::PublishItem* const item = &(*message)->item;
      if (deliver_in > absl::ZeroDuration() && !item->has_deliver_time()) {
        SetTimestamp(clock.Now() + deliver_in, item->mutable_deliver_time());
      }
      bytes += (*message)->item.message().body().size();
      batch.push_back(**std::move(message));
    }
    // What came before a bad line is good.
    if (!batch.empty() && !publisher->Send(std::move(batch))) break;
    progress.Update(publisher);
    if (!failure.ok()) return failure;
  }
  return absl::OkStatus();
}

// Names the failures; the hint of each reason once.
void ReportFailures(const PublishTotals& totals, const PublishInput& input,
                    const Target& target, Output* output) {
  std::set<std::string> explained;
  for (const FailedMessage& failed : totals.failures) {
    FailureReport report = Explain(failed.status, target);
    report.line =
        absl::StrCat(input.unit(), " ", failed.number, ": ", report.line);
    if (!explained.insert(ReasonOf(failed.status)).second) report.hint.clear();
    output->Report(report);
  }
  if (totals.failed > totals.failures.size()) {
    output->Note(absl::StrCat(
        "... and ", Grouped(totals.failed - totals.failures.size()), " more"));
  }
}

void WarnOfUnrouted(const PublishFlags& flags, const PublishTotals& totals,
                    const Target& target, Output* output) {
  if (totals.unrouted == 0) return;
  const ConfirmedPublisher::Options& routing = flags.routing;
  std::string hint;
  if (!routing.exchange.empty()) {
    hint = absl::StrCat(
        "bind a queue: kelpmq bind queue QUEUE --exchange ",
        ShellWord(routing.exchange),
        routing.routing_key.empty()
            ? ""
            : absl::StrCat(" --routing-key ", ShellWord(routing.routing_key)),
        VhostOption(target));
  } else if (!routing.routing_key.empty()) {
    hint = absl::StrCat("declare the queue: kelpmq declare queue ",
                        ShellWord(routing.routing_key), VhostOption(target));
  } else {
    hint = "without --exchange, --routing-key names the queue";
  }
  output->Warn(absl::StrCat(Count(totals.unrouted, "message"), " ",
                            totals.unrouted == 1 ? "was" : "were",
                            " routed to no queue: is there a binding?"),
               hint);
}

void PrintTotals(const PublishTotals& totals, Output* output) {
  const uint64_t published = totals.confirmed - totals.failed;
  if (output->json()) {
    nlohmann::ordered_json json;
    json["published"] = published;
    json["unrouted"] = totals.unrouted;
    json["failed"] = totals.failed;
    json["unconfirmed"] = totals.sent - totals.confirmed;
    output->PrintJsonLine(json);
  } else if (published == totals.sent) {
    output->PrintLine(absl::StrCat("published ", Count(published, "message")));
  } else {
    output->PrintLine(absl::StrCat("published ", Grouped(published), " of ",
                                   Count(totals.sent, "message")));
  }
}

absl::Status Publish(const PublishFlags& flags, Connection* connection,
                     Output* output) {
  if (flags.routing.mandatory && flags.deliver_in > absl::ZeroDuration()) {
    return MakeFailure(ExitCode::kUsage,
                       "--mandatory and --deliver-in exclude each other",
                       "whether a queue takes a message shows when it is "
                       "routed, after the confirm");
  }
  absl::StatusOr<std::unique_ptr<PublishInput>> input = InputOf(flags);
  if (!input.ok()) return input.status();
  ConfirmedPublisher publisher(connection, output, flags.routing);
  absl::Status status = publisher.Start();
  if (!status.ok()) return status;
  const absl::Status input_status =
      SendAll(input->get(), flags.deliver_in, &publisher, output);
  status = publisher.Finish();
  const PublishTotals totals = publisher.totals();
  output->ClearProgress();

  // Nothing came through: the reason alone says it all.
  if (!status.ok() && totals.confirmed == 0) return status;
  // So does that of a message that was alone, but a program wants its totals.
  const bool alone_and_failed = totals.sent == 1 && totals.failed == 1;
  if (!alone_and_failed || output->json()) PrintTotals(totals, output);
  if (alone_and_failed && input_status.ok()) {
    return totals.failures.front().status;
  }
  ReportFailures(totals, **input, connection->target(), output);
  WarnOfUnrouted(flags, totals, connection->target(), output);
  if (totals.confirmed < totals.sent) {
    output->Warn(absl::StrCat(
        "the outcome of ", Count(totals.sent - totals.confirmed, "message"),
        " is unknown: the broker did not confirm them, but may have them"));
  }
  if (!status.ok()) return status;
  if (!input_status.ok()) return input_status;
  if (totals.failed == 0) return absl::OkStatus();
  return MakeFailure(ExitCode::kFailed,
                     absl::StrCat(Grouped(totals.failed), " of ",
                                  Count(totals.sent, "message"), " failed"));
}

void AddProperties(CLI::App* command, PublishFlags* flags) {
  const auto add = [command](const std::string& name, auto* target,
                             const std::string& text, const char* type) {
    return command->add_option(name, *target, text)
        ->type_name(type)
        ->group(kPropertiesGroup);
  };
  AddRepeatable(command, "--header", &flags->headers,
                "A header; the value is JSON, else a string")
      ->type_name("KEY=VALUE")
      ->group(kPropertiesGroup);
  command
      ->add_flag("--persistent", flags->persistent,
                 "Survives a restart of a durable broker, in a durable queue")
      ->group(kPropertiesGroup);
  add("--priority", &flags->priority, "0 to 255, for priority queues", "N")
      ->check(WholeNumber(0, 255));
  add("--expiration", &flags->expiration, "Time to live in milliseconds", "MS");
  add("--content-type", &flags->content_type, "MIME type", "TYPE");
  add("--content-encoding", &flags->content_encoding, "MIME encoding", "NAME");
  add("--correlation-id", &flags->correlation_id, "Ties a reply to a request",
      "ID");
  add("--reply-to", &flags->reply_to, "Where replies go", "QUEUE");
  add("--message-id", &flags->message_id, "The application's id", "ID");
  add("--timestamp", &flags->timestamp, "Seconds since 1970", "SECONDS");
  add("--type", &flags->type, "The application's type of message", "NAME");
  add("--user-id", &flags->user_id, "Must be the authenticated user", "NAME");
  add("--app-id", &flags->app_id, "The publishing application", "NAME");
}

}  // namespace

void AddPublishCommand(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<PublishFlags>();
  CLI::App* command = AddCommand(
      app, "publish",
      "Publish messages and wait until the broker has confirmed them",
      {"kelpmq publish --routing-key jobs hello        # to the queue 'jobs'",
       "kelpmq publish --exchange logs --routing-key app.web.error 'it broke'",
       "kelpmq publish --routing-key jobs 'first' 'second' --persistent",
       "kelpmq publish --routing-key jobs --deliver-in 15m 'again'",
       "tail -f app.log | kelpmq publish --exchange logs --routing-key app -",
       "kelpmq get jobs --count 100 --json > saved.jsonl",
       "kelpmq publish --jsonl saved.jsonl             # back where they were"},
      "Bodies come from the command line, from standard input (a message a "
      "line) or\n"
      "from --jsonl. A line for --jsonl has exchange, routing_key, body or "
      "body_base64,\n"
      "headers, deliver_time (as 2030-01-31T12:00:00Z) and properties by the "
      "API's\n"
      "names; what it leaves out comes from the options:\n"
      "  {\"routing_key\": \"jobs\", \"body\": \"hello\", \"headers\": {\"n\": "
      "1}, \"priority\": 5}");
  command
      ->add_option("BODY", flags->bodies,
                   "Bodies, a message each; '-' reads lines from standard "
                   "input, as does none at all")
      // CLI11 would split a body like [1,2] into two unless told that every
      // occurrence has one value; then the minimum is what lets more follow.
      ->expected(CLI::detail::expected_max_vector_size - 1,
                 CLI::detail::expected_max_vector_size)
      ->take_all()
      ->allow_extra_args(false);
  command
      ->add_option("-e,--exchange", flags->routing.exchange,
                   "Exchange to publish to; default: the default exchange, "
                   "where the routing key names the queue")
      ->type_name("NAME");
  command
      ->add_option("-r,--routing-key", flags->routing.routing_key,
                   "Routing key")
      ->type_name("KEY");
  command->add_flag("--mandatory", flags->routing.mandatory,
                    "A message that is routed to no queue fails");
  AddDuration(command, "--deliver-in", &flags->deliver_in,
              "Route the messages so much later: 5, 500ms, 1m");
  command
      ->add_option("--jsonl", flags->jsonl,
                   "File with a JSON object a line; '-' is standard input")
      ->type_name("FILE");
  AddProperties(command, flags.get());
  AddClientFlags(command, &flags->client);
  OnRun(command, std::move(flags), exit_code, &Publish);
}

}  // namespace kelpmq::service::cli
