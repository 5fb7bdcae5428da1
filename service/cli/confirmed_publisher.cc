#include "service/cli/confirmed_publisher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

// Half of the broker's default window, so that it never has to stop reading.
constexpr uint64_t kMaxUnconfirmedMessages = 5000;
constexpr size_t kMaxUnconfirmedBytes = 16 * 1024 * 1024;
constexpr size_t kMaxNamedFailures = 10;

}  // namespace

ConfirmedPublisher::ConfirmedPublisher(Connection* connection, Output* output,
                                       Options options)
    : connection_(connection), output_(output), options_(std::move(options)) {}

ConfirmedPublisher::~ConfirmedPublisher() {
  if (!reader_.joinable()) return;
  context_.TryCancel();
  reader_.join();
}

absl::Status ConfirmedPublisher::Start() {
  const absl::Status status = connection_->WaitForReady();
  if (!status.ok()) return status;
  stream_ = connection_->messaging()->PublishStream(&context_);
  reader_ = std::thread([this] { ReadConfirms(); });
  return absl::OkStatus();
}

bool ConfirmedPublisher::Send(std::vector<InputMessage> batch) {
  v1::PublishStreamRequest request;
  if (next_sequence_ == 1) request.set_vhost(connection_->vhost());
  request.set_exchange(options_.exchange);
  request.set_routing_key(options_.routing_key);
  request.set_mandatory(options_.mandatory);
  request.set_sequence(next_sequence_);
  Batch sent;
  for (InputMessage& message : batch) {
    sent.messages.push_back({message.number, message.item.exchange()});
    *request.add_items() = std::move(message.item);
  }
  sent.bytes = request.ByteSizeLong();
  {
    MutexLock lock(&mu_);
    // A batch larger than the window goes out alone.
    while (!ended_ && unconfirmed_messages_ > 0 &&
           (unconfirmed_messages_ + batch.size() > kMaxUnconfirmedMessages ||
            unconfirmed_bytes_ + sent.bytes > kMaxUnconfirmedBytes)) {
      changed_.Wait(&mu_);
    }
    if (ended_) return false;
    totals_.sent += batch.size();
    unconfirmed_messages_ += batch.size();
    unconfirmed_bytes_ += sent.bytes;
    unconfirmed_.emplace(next_sequence_++, std::move(sent));
  }
  return stream_->Write(request);
}

absl::Status ConfirmedPublisher::Finish() {
  // False means that the stream is over; its status says why.
  stream_->WritesDone();
  reader_.join();
  const grpc::Status status = stream_->Finish();
  return connection_->StatusOf(status, context_);
}

PublishTotals ConfirmedPublisher::totals() {
  MutexLock lock(&mu_);
  return totals_;
}

void ConfirmedPublisher::ReadConfirms() {
  v1::PublishStreamResponse response;
  while (stream_->Read(&response)) {
    if (response.has_flow() && response.flow().blocked()) {
      output_->Warn(absl::StrCat("the broker has stopped taking messages: ",
                                 OneLine(response.flow().reason())),
                    "waiting until it goes on");
    }
    if (response.has_draining()) {
      output_->Warn("the broker is stopping",
                    OneLine(response.draining().message()));
    }
    MutexLock lock(&mu_);
    OnResponse(response);
    changed_.NotifyAll();
  }
  MutexLock lock(&mu_);
  ended_ = true;
  changed_.NotifyAll();
}

void ConfirmedPublisher::OnResponse(const v1::PublishStreamResponse& response) {
  // Failures first: the confirm of their batch forgets it.
  for (const v1::PublishFailure& failure : response.failures()) {
    OnFailure(failure);
  }
  totals_.unrouted += response.unrouted_count();
  for (const v1::TagRange& range : response.confirmed()) {
    // Walks what is out, not the range: a broker may say anything.
    auto batch = unconfirmed_.lower_bound(range.first());
    while (batch != unconfirmed_.end() && batch->first <= range.last()) {
      const uint64_t sequence = batch->first;
      ++batch;
      OnConfirmed(sequence);
    }
  }
}

void ConfirmedPublisher::OnFailure(const v1::PublishFailure& failure) {
  ++totals_.failed;
  if (totals_.failures.size() >= kMaxNamedFailures) return;
  FailedMessage failed;
  std::string exchange = options_.exchange;
  const auto batch = unconfirmed_.find(failure.sequence());
  if (batch != unconfirmed_.end() &&
      failure.index() < batch->second.messages.size()) {
    const SentMessage& message = batch->second.messages[failure.index()];
    failed.number = message.number;
    if (!message.exchange.empty()) exchange = message.exchange;
  }
  failed.status =
      StatusOfItem(failure.code(), failure.reason(), failure.message(),
                   static_cast<int>(failure.amqp_code()),
                   {{"exchange", std::move(exchange)}});
  totals_.failures.push_back(std::move(failed));
}

void ConfirmedPublisher::OnConfirmed(uint64_t sequence) {
  const auto batch = unconfirmed_.find(sequence);
  totals_.confirmed += batch->second.messages.size();
  unconfirmed_messages_ -= batch->second.messages.size();
  unconfirmed_bytes_ -= batch->second.bytes;
  unconfirmed_.erase(batch);
}

}  // namespace kelpmq::service::cli
