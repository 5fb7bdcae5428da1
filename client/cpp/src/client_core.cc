#include "client/cpp/src/client_core.h"

#include <future>
#include <utility>

#include "client/cpp/src/methods.h"
#include "client/cpp/src/restore.h"
#include "kelpmq/v1/messaging.pb.h"

namespace kelpmq::client {
namespace {

// The broker's default: 4 MiB less 64 KiB.
constexpr size_t kDefaultMaxMessageBytes = 4'128'768;

}  // namespace

ClientCore::ClientCore(ClientOptions options, ChannelFactory factory)
    : options_(std::move(options)),
      connection_(&options_, std::move(factory)),
      session_(&connection_,
               {[this](const absl::Status& status) {
                  recovery_.AwaitNewer(recovery_.epoch(), status,
                                       [](const absl::Status&) {});
                },
                [this](const ClientEvent& event) { Report(event); }}),
      topology_(&connection_, &session_),
      recovery_(options_.backoff,
                {[this](absl::Duration delay, absl::AnyInvocable<void()> task) {
                   connection_.poller().RunAfter(delay, std::move(task));
                 },
                 [this](absl::AnyInvocable<void(const absl::Status&)> done) {
                   Attempt(std::move(done));
                 },
                 [this] { return absl::Uniform<double>(random_, 0, 1); },
                 [this](const ClientEvent& event) { Report(event); }}),
      max_message_bytes_(kDefaultMaxMessageBytes) {}

void ClientCore::Attempt(absl::AnyInvocable<void(const absl::Status&)> done) {
  // A continuation for each step: is anyone there, the session, the topology.
  auto on_session =
      [this, done = std::move(done)](const absl::Status& status) mutable {
        if (!status.ok()) return done(status);
        RestoreTopology({&connection_, &session_, &topology_,
                         [this](const ClientEvent& event) { Report(event); }},
                        std::move(done));
      };
  connection_.Start<v1::GetServerInfoResponse>(
      MessagingMethod("GetServerInfo"), v1::GetServerInfoRequest(),
      [this, on_session = std::move(on_session)](
          const absl::Status& status,
          const v1::GetServerInfoResponse& /*info*/) mutable {
        if (status.ok()) return session_.Reopen(std::move(on_session));
        // The next attempt is to connect at once, not when this channel would.
        connection_.Renew();
        on_session(status);
      });
}

void ClientCore::Close() {
  if (closed_.exchange(true)) return;
  // Before the poller stops, so that nobody waits for what never comes.
  std::promise<void> told;
  connection_.poller().Post([this, &told] {
    recovery_.Close();
    told.set_value();
  });
  told.get_future().wait();
  connection_.poller().Stop();
}

}  // namespace kelpmq::client
