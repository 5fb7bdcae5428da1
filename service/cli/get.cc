// `get`.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/cli/command.h"
#include "service/cli/commands.h"
#include "service/cli/delivery_output.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

constexpr uint64_t kMaxMessagesPerCall = 1000;  // the API's limit
constexpr absl::Duration kMaxWaitPerCall = absl::Seconds(55);  // it allows 60
// Above any limit that a broker can be set to; for the message that does not
// fit the API's default answer.
constexpr uint32_t kLargeResponseBytes = 130 * 1024 * 1024;

// What becomes of the messages once they are printed.
enum class AfterPrint { kAck, kRequeue, kDiscard, kNothing };

struct GetFlags {
  ClientFlags client;
  std::string queue;
  uint64_t count = 1;
  absl::Duration wait = absl::ZeroDuration();
  bool ack = false;
  bool requeue = false;
  bool discard = false;
  bool auto_ack = false;
  DeliveryFormat format;
};

AfterPrint AfterPrintOf(const GetFlags& flags) {
  if (flags.requeue) return AfterPrint::kRequeue;
  if (flags.discard) return AfterPrint::kDiscard;
  return flags.auto_ack ? AfterPrint::kNothing : AfterPrint::kAck;
}

absl::Status AckAll(Connection* connection, const std::string& lease_id) {
  v1::AckRequest request;
  request.set_lease_id(lease_id);
  request.set_all(true);
  v1::AckResponse response;
  return connection->Call(connection->messaging(),
                          &v1::MessagingService::Stub::Ack, request, &response);
}

absl::Status NackAll(Connection* connection, const std::string& lease_id,
                     bool discard) {
  v1::NackRequest request;
  request.set_lease_id(lease_id);
  request.set_all(true);
  request.set_discard(discard);
  v1::NackResponse response;
  return connection->Call(connection->messaging(),
                          &v1::MessagingService::Stub::Nack, request,
                          &response);
}

// One Get call; a message too large for the default answer is fetched alone.
absl::Status FetchSome(const GetFlags& flags, uint64_t wanted,
                       absl::Duration wait, Connection* connection,
                       v1::GetResponse* response) {
  v1::GetRequest request;
  request.set_vhost(connection->vhost());
  request.set_queue(flags.queue);
  request.set_max_messages(
      static_cast<uint32_t>(std::min(wanted, kMaxMessagesPerCall)));
  request.set_auto_ack(flags.auto_ack);
  if (wait > absl::ZeroDuration()) {
    const int64_t nanos = absl::ToInt64Nanoseconds(wait);
    request.mutable_wait()->set_seconds(nanos / 1'000'000'000);
    request.mutable_wait()->set_nanos(
        static_cast<int32_t>(nanos % 1'000'000'000));
  }
  const auto call = [&] {
    return connection->Call(connection->messaging(),
                            &v1::MessagingService::Stub::Get, request, response,
                            /*extra=*/wait);
  };
  const absl::Status status = call();
  if (ReasonOf(status) != "RESPONSE_TOO_SMALL") return status;
  request.set_max_messages(1);
  request.set_max_bytes(kLargeResponseBytes);
  return call();
}

// Gives back what was only looked at. All at the end: a message that goes back
// before would be got again.
absl::Status RequeueAll(Connection* connection,
                        const std::vector<std::string>& lease_ids) {
  absl::Status result;
  for (const std::string& lease_id : lease_ids) {
    result.Update(NackAll(connection, lease_id, /*discard=*/false));
  }
  return result;
}

// Fetches and prints until `count` is reached, the queue is empty and the time
// is up, or something fails. Leases to be requeued are left in `to_requeue`.
absl::Status FetchAll(const GetFlags& flags, Connection* connection,
                      Output* output, std::vector<std::string>* to_requeue,
                      uint64_t* got) {
  const RealClock clock;
  const absl::Time deadline = clock.Now() + flags.wait;
  const AfterPrint after_print = AfterPrintOf(flags);
  while (*got < flags.count) {
    const absl::Duration left = deadline - clock.Now();
    const absl::Duration wait =
        std::clamp(left, absl::ZeroDuration(), kMaxWaitPerCall);
    v1::GetResponse response;
    absl::Status status =
        FetchSome(flags, flags.count - *got, wait, connection, &response);
    if (!status.ok()) return status;
    if (response.deliveries().empty()) {
      if (left <= kMaxWaitPerCall) return absl::OkStatus();
      continue;
    }
    if (after_print == AfterPrint::kRequeue) {
      to_requeue->push_back(response.lease_id());
    }
    for (const v1::Delivery& delivery : response.deliveries()) {
      PrintDelivery(delivery, flags.format, output);
    }
    *got += static_cast<uint64_t>(response.deliveries_size());
    status = output->Flush();
    // What was not printed goes back to the queue, whatever was asked.
    if (!status.ok()) {
      if (after_print != AfterPrint::kNothing) {
        NackAll(connection, response.lease_id(), /*discard=*/false)
            .IgnoreError();  // the lease's end does the same, only later
      }
      return status;
    }
    if (after_print == AfterPrint::kAck) {
      status = AckAll(connection, response.lease_id());
    } else if (after_print == AfterPrint::kDiscard) {
      status = NackAll(connection, response.lease_id(), /*discard=*/true);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Get(const GetFlags& flags, Connection* connection,
                 Output* output) {
  std::vector<std::string> to_requeue;
  uint64_t got = 0;
  absl::Status status = FetchAll(flags, connection, output, &to_requeue, &got);
  status.Update(RequeueAll(connection, to_requeue));
  if (!status.ok() || got > 0) return status;
  return MakeFailure(
      ExitCode::kEmpty,
      absl::StrCat("queue '", OneLine(flags.queue), "' is empty"));
}

}  // namespace

void AddGetCommand(CLI::App* app, int* exit_code) {
  auto flags = std::make_shared<GetFlags>();
  CLI::App* command = AddCommand(
      app, "get",
      "Get messages from a queue, print them, then acknowledge them",
      {"kelpmq get jobs",
       "kelpmq get jobs --count 10 --wait 30s      # up to 10, for up to 30 s",
       "kelpmq get jobs --requeue --verbose        # look, and leave it there",
       "kelpmq get jobs --count 1000 --json > backup.jsonl",
       "kelpmq get images --raw > picture.png"},
      "An empty queue ends it with exit code 2.");
  command->add_option("QUEUE", flags->queue, "Name of the queue")->required();
  command->add_option("-n,--count", flags->count, "Most messages (default 1)")
      ->type_name("N")
      ->check(WholeNumber(1, UINT32_MAX));
  AddDuration(command, "--wait", &flags->wait,
              "Wait so long for messages to come (default 0)");
  CLI::Option* ack = command->add_flag(
      "--ack", flags->ack, "Acknowledge them once printed (default)");
  CLI::Option* requeue =
      command->add_flag("--requeue", flags->requeue,
                        "Put them back where they were, marked redelivered");
  CLI::Option* discard = command->add_flag(
      "--discard", flags->discard,
      "Reject them: dropped, or dead-lettered if the queue says so");
  CLI::Option* auto_ack = command->add_flag(
      "--auto-ack,--no-ack", flags->auto_ack,
      "The broker forgets them as it sends them (AMQP's no-ack)");
  const std::vector<CLI::Option*> choices = {ack, requeue, discard, auto_ack};
  for (size_t i = 0; i < choices.size(); ++i) {
    for (size_t j = i + 1; j < choices.size(); ++j) {
      choices[i]->excludes(choices[j]);
    }
  }
  AddDeliveryFormat(command, &flags->format);
  AddClientFlags(command, &flags->client);
  OnRun(command, std::move(flags), exit_code, &Get);
}

}  // namespace kelpmq::service::cli
