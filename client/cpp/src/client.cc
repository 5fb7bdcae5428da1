#include "kelpmq/client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/src/channel.h"
#include "client/cpp/src/client_core.h"
#include "client/cpp/src/get_lease.h"
#include "client/cpp/src/methods.h"
#include "client/cpp/src/stream_consumer.h"
#include "client/cpp/src/stream_publisher.h"

namespace kelpmq {
namespace client {
namespace {

// The Client that programs hold.
class CoreClient final : public Client {
 public:
  explicit CoreClient(std::shared_ptr<ClientCore> core)
      : core_(std::move(core)) {}
  ~CoreClient() override { core_->Close(); }

  Topology& topology() override { return core_->topology(); }

  std::unique_ptr<Publisher> NewPublisher(PublisherOptions options) override {
    auto stream = std::make_shared<PublishStream>(core_, std::move(options));
    core_->connection().poller().Post([stream] { stream->Open(); });
    return std::make_unique<StreamPublisher>(std::move(stream));
  }

  absl::StatusOr<std::unique_ptr<Consumer>> Consume(
      ConsumerOptions options, DeliveryHandler handler) override {
    if (core_->connection().poller().IsCurrentThread()) {
      return absl::FailedPreconditionError(
          "Consume on the polling thread would wait for itself");
    }
    auto stream = std::make_shared<ConsumeStream>(core_, std::move(options),
                                                  std::move(handler));
    auto consumer = std::make_unique<StreamConsumer>(stream);
    core_->connection().poller().Post([stream] { stream->Open(); });
    const absl::Status started = stream->AwaitStarted();
    if (!started.ok()) return started;
    return consumer;
  }

  absl::StatusOr<std::vector<Delivery>> Get(const std::string& queue,
                                            GetOptions options) override {
    return GetDeliveries(core_, queue, options);
  }

  absl::StatusOr<v1::GetServerInfoResponse> ServerInfo() override {
    v1::GetServerInfoResponse response;
    const absl::Status status =
        core_->connection().Call(MessagingMethod("GetServerInfo"),
                                 v1::GetServerInfoRequest(), &response);
    if (!status.ok()) return status;
    return response;
  }

 private:
  const std::shared_ptr<ClientCore> core_;
};

// The first call, which connects.
absl::StatusOr<v1::Limits> FirstCall(Connection* connection) {
  v1::GetServerInfoResponse info;
  const ClientOptions& options = connection->options();
  absl::Status status = connection->Call(
      MessagingMethod("GetServerInfo"), v1::GetServerInfoRequest(), &info,
      options.connect_timeout - options.call_timeout);
  if (absl::IsDeadlineExceeded(status)) {
    return absl::UnavailableError(
        absl::StrCat("no answer from ", options.address, " within ",
                     absl::FormatDuration(options.connect_timeout)));
  }
  if (!status.ok()) return status;
  return info.limits();
}

}  // namespace
}  // namespace client

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  auto factory = client::ChannelFactory::Make(options);
  if (!factory.ok()) return factory.status();
  auto core = std::make_shared<client::ClientCore>(std::move(options),
                                                   *std::move(factory));
  const auto limits = client::FirstCall(&core->connection());
  if (!limits.ok()) return limits.status();
  if (limits->max_message_bytes() > 0) {
    core->set_max_message_bytes(limits->max_message_bytes());
  }
  return std::make_unique<client::CoreClient>(std::move(core));
}

}  // namespace kelpmq
