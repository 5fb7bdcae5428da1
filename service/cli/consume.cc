// `consume`.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/mutex.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/delivery_output.h"
#include "service/cli/interrupt.h"
#include "service/cli/text.h"
#include "service/cli/value_json.h"

namespace kelpmq::service::cli {
namespace {

struct ConsumeFlags {
  ClientFlags client;
  std::string queue;
  std::vector<std::string> bindings;  // EXCHANGE:KEY
  std::optional<uint32_t> count;
  std::optional<uint32_t> prefetch;
  bool auto_ack = false;
  bool exclusive = false;
  int32_t priority = 0;
  std::string consumer_tag;
  std::vector<std::string> arguments;
  DeliveryFormat format;
};

absl::Status SetSource(const ConsumeFlags& flags, v1::ConsumerSpec* spec) {
  if (flags.queue.empty() == flags.bindings.empty()) {
    return MakeFailure(ExitCode::kUsage,
                       "give either a queue or --bind EXCHANGE:KEY",
                       "as in: kelpmq consume jobs, or kelpmq consume --bind "
                       "logs:app.error");
  }
  if (!flags.queue.empty()) {
    spec->set_queue(flags.queue);
    return absl::OkStatus();
  }
  for (const std::string& text : flags.bindings) {
    v1::TemporaryBinding* binding =
        spec->mutable_temporary_queue()->add_bindings();
    const size_t colon = text.find(':');
    binding->set_exchange(text.substr(0, colon));
    if (colon != std::string::npos) {
      binding->set_routing_key(text.substr(colon + 1));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ConsumerSpec> SpecOf(const ConsumeFlags& flags) {
  v1::ConsumerSpec spec;
  absl::Status status = SetSource(flags, &spec);
  if (!status.ok()) return status;
  status =
      AddArguments(flags.arguments, "--argument", spec.mutable_arguments());
  if (!status.ok()) return status;
  spec.set_consumer_tag(flags.consumer_tag);
  spec.set_auto_ack(flags.auto_ack);
  spec.set_exclusive(flags.exclusive);
  spec.set_priority(flags.priority);
  if (flags.prefetch) spec.set_prefetch_count(*flags.prefetch);
  // Credit makes the broker send exactly as many as will be printed: with
  // auto-ack any more would be lost.
  spec.set_manual_credit(flags.count.has_value());
  return spec;
}

// One Consume stream with one consumer. Prints what comes, acknowledges what
// was printed.
// Thread-safety: Run is for one thread; Stop and Abort are thread-safe.
class Consumption {
 public:
  Consumption(const ConsumeFlags& flags, Connection* connection, Output* output)
      : flags_(flags),
        connection_(connection),
        output_(output),
        stream_(connection->messaging()->Consume(&context_)) {}

  // Until enough has come, Stop or Abort is called, or the stream ends.
  absl::Status Run(const v1::ConsumerSpec& spec);
  // Ends it cleanly: what was printed stays acknowledged.
  void Stop();
  // Ends it now: what is unsettled goes back to the queue.
  void Abort() { context_.TryCancel(); }

 private:
  void Start(const v1::ConsumerSpec& spec);
  bool Send(const v1::ConsumeRequest& request);
  // What to do after a response.
  enum class Then { kContinue, kEnd };
  absl::StatusOr<Then> OnResponse(const v1::ConsumeResponse& response);
  absl::StatusOr<Then> OnDeliveries(const v1::DeliveryBatch& batch);
  absl::StatusOr<Then> OnCancelled(const v1::ConsumerCancelled& cancelled);
  void OnStarted(const v1::ConsumerStarted& started);
  // Half-closes, and waits until the broker has applied all it was sent.
  absl::Status Close();

  const ConsumeFlags& flags_;
  Connection* const connection_;
  Output* const output_;
  grpc::ClientContext context_;
  std::atomic<bool> stopped_{false};
  uint64_t printed_ = 0;

  // One writer at a time, gRPC demands; Stop is called by another thread.
  Mutex write_mu_;
  bool writes_done_ ABSL_GUARDED_BY(write_mu_) = false;
  const std::unique_ptr<
      grpc::ClientReaderWriter<v1::ConsumeRequest, v1::ConsumeResponse>>
      stream_;
};

absl::Status Consumption::Run(const v1::ConsumerSpec& spec) {
  Start(spec);
  v1::ConsumeResponse response;
  while (stream_->Read(&response)) {
    const absl::StatusOr<Then> then = OnResponse(response);
    if (!then.ok()) {
      Close().IgnoreError();  // the first failure is the one to report
      return then.status();
    }
    if (*then == Then::kEnd) break;
  }
  return Close();
}

void Consumption::Start(const v1::ConsumerSpec& spec) {
  v1::ConsumeRequest start;
  start.mutable_options()->set_vhost(connection_->vhost());
  *start.mutable_start() = spec;
  Send(start);
  if (!flags_.count) return;
  v1::ConsumeRequest credit;
  credit.mutable_credit()->set_messages(*flags_.count);
  Send(credit);
}

bool Consumption::Send(const v1::ConsumeRequest& request) {
  MutexLock lock(&write_mu_);
  return !writes_done_ && stream_->Write(request);
}

void Consumption::Stop() {
  stopped_ = true;
  v1::ConsumeRequest cancel;
  cancel.mutable_cancel()->set_consumer_id(0);
  Send(cancel);
}

absl::StatusOr<Consumption::Then> Consumption::OnResponse(
    const v1::ConsumeResponse& response) {
  switch (response.event_case()) {
    case v1::ConsumeResponse::kDeliveries:
      return OnDeliveries(response.deliveries());
    case v1::ConsumeResponse::kCancelled:
      return OnCancelled(response.cancelled());
    case v1::ConsumeResponse::kStarted:
      OnStarted(response.started());
      break;
    case v1::ConsumeResponse::kLost:
      output_->Warn("deliveries were lost before they were acknowledged",
                    "they went back to the queue, or were deleted with it");
      break;
    case v1::ConsumeResponse::kSettled:
      if (!response.settled().failures().empty()) {
        output_->Warn("the broker refused some acknowledgements",
                      "the messages may be delivered again");
      }
      break;
    case v1::ConsumeResponse::kDraining:
      output_->Warn("the broker is stopping");
      break;
    default:
      break;
  }
  return Then::kContinue;
}

absl::StatusOr<Consumption::Then> Consumption::OnDeliveries(
    const v1::DeliveryBatch& batch) {
  // After Stop nothing is printed any more, and what is unsettled goes back;
  // but what the broker forgets as it sends it would be lost.
  if (stopped_ && !flags_.auto_ack) return Then::kContinue;
  v1::ConsumeRequest request;
  request.mutable_settle()->set_action(v1::SETTLE_ACTION_ACK);
  for (const v1::Delivery& delivery : batch.deliveries()) {
    PrintDelivery(delivery, flags_.format, output_);
    request.mutable_settle()->add_delivery_tags(delivery.delivery_tag());
    ++printed_;
  }
  const absl::Status status = output_->Flush();
  if (!status.ok()) return status;
  if (!flags_.auto_ack) Send(request);
  return flags_.count && printed_ >= *flags_.count ? Then::kEnd
                                                   : Then::kContinue;
}

absl::StatusOr<Consumption::Then> Consumption::OnCancelled(
    const v1::ConsumerCancelled& cancelled) {
  if (stopped_ || cancelled.reason() == v1::CANCEL_REASON_CLIENT_REQUEST) {
    return Then::kEnd;
  }
  if (cancelled.has_error()) {
    const v1::OperationError& error = cancelled.error();
    return StatusOfItem(
        error.code(), error.reason(), error.message(),
        static_cast<int>(error.amqp_code()),
        ErrorFacts(error.metadata().begin(), error.metadata().end()));
  }
  switch (cancelled.reason()) {
    case v1::CANCEL_REASON_QUEUE_DELETED:
      return MakeFailure(ExitCode::kFailed, "the queue was deleted");
    case v1::CANCEL_REASON_QUEUE_EXPIRED:
      return MakeFailure(ExitCode::kFailed, "the queue expired");
    default:
      return MakeFailure(
          ExitCode::kFailed,
          absl::StrCat("the broker cancelled the consumer: ",
                       v1::CancelReason_Name(cancelled.reason())));
  }
}

void Consumption::OnStarted(const v1::ConsumerStarted& started) {
  if (!output_->shows_progress()) return;
  output_->Note(absl::StrCat("waiting for messages of queue '",
                             OneLine(started.queue()), "'; Ctrl-C ends"));
}

absl::Status Consumption::Close() {
  {
    MutexLock lock(&write_mu_);
    writes_done_ = true;
    stream_->WritesDone();
  }
  v1::ConsumeResponse ignored;
  while (stream_->Read(&ignored)) {
  }
  const grpc::Status end = stream_->Finish();
  // A second Ctrl-C is no failure either.
  if (stopped_ && end.error_code() == grpc::StatusCode::CANCELLED) {
    return absl::OkStatus();
  }
  return connection_->StatusOf(end, context_);
}

absl::Status Consume(const ConsumeFlags& flags,
                     const BlockedInterrupts& blocked, Connection* connection,
                     Output* output) {
  const absl::StatusOr<v1::ConsumerSpec> spec = SpecOf(flags);
  if (!spec.ok()) return spec.status();
  absl::Status status = connection->WaitForReady();
  if (!status.ok()) return status;
  Consumption consumption(flags, connection, output);
  const InterruptWatch watch(blocked, [&consumption](int count) {
    if (count == 1) {
      consumption.Stop();
    } else {
      consumption.Abort();
    }
  });
  return consumption.Run(*spec);
}

}  // namespace

void AddConsumeCommand(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<ConsumeFlags>();
  CLI::App* command = AddCommand(
      app, "consume",
      "Print messages as they come, and acknowledge them once printed",
      {"kelpmq consume jobs", "kelpmq consume jobs --count 10 --json",
       "kelpmq consume --bind logs:'app.*.error' --bind logs:db.#   # no queue "
       "needed",
       "kelpmq consume jobs --json | jq -r .routing_key"},
      "Ends with Ctrl-C, or after --count messages.");
  command->add_option("QUEUE", flags->queue, "Name of the queue");
  AddRepeatable(command, "--bind", &flags->bindings,
                "Instead of a queue: consume what an exchange routes to a "
                "temporary queue bound with this key")
      ->type_name("EXCHANGE:KEY");
  command
      ->add_option("-n,--count", flags->count,
                   "End after so many messages; no more are taken from the "
                   "queue")
      ->type_name("N")
      ->check(WholeNumber(1, UINT32_MAX));
  command
      ->add_option("--prefetch", flags->prefetch,
                   "Most unacknowledged messages at a time (default: the "
                   "broker's 100; 0: no limit)")
      ->type_name("N");
  command->add_flag("--auto-ack,--no-ack", flags->auto_ack,
                    "The broker forgets messages as it sends them (AMQP's "
                    "no-ack)");
  command->add_flag("--exclusive", flags->exclusive,
                    "Be the queue's only consumer");
  command
      ->add_option("--priority", flags->priority,
                   "Consumers with a higher one are served first (default 0)")
      ->type_name("N");
  command
      ->add_option("--tag", flags->consumer_tag,
                   "Consumer tag (default: the broker chooses)")
      ->type_name("TAG");
  AddRepeatable(command, "--argument", &flags->arguments,
                "Argument of the consumer; the value is JSON, else a string")
      ->type_name("KEY=VALUE");
  AddDeliveryFormat(command, &flags->format);
  AddClientFlags(command, &flags->client);
  command->callback([flags, exit_code] {
    // Before the connection, whose threads inherit the mask.
    const BlockedInterrupts blocked;
    *exit_code = RunConnected(
        flags->client,
        [&flags, &blocked](Connection* connection, Output* output) {
          return Consume(*flags, blocked, connection, output);
        });
  });
}

}  // namespace kelpmq::service::cli
