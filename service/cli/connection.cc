#include "service/cli/connection.h"

#include <grpc/support/log.h>

#include <chrono>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace kelpmq::service::cli {
namespace {

constexpr int kKeepaliveIntervalMs = 30'000;  // the API's advice to clients
constexpr int kKeepaliveTimeoutMs = 10'000;

// gRPC's own log lines would mix with the error that the user gets anyway.
void SilenceGrpc() {
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {
    gpr_set_log_function([](gpr_log_func_args*) {});
  }
}

enum class Sharing { kShared, kOwnConnection };

std::shared_ptr<grpc::Channel> MakeChannel(
    const std::string& address, const absl::StatusOr<Credentials>& credentials,
    Sharing sharing) {
  SilenceGrpc();
  grpc::ChannelArguments arguments;
  if (sharing == Sharing::kOwnConnection) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  }
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveIntervalMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A broker on loopback is not behind the proxy that http_proxy names.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // The broker's limits decide how large an answer may be.
  arguments.SetMaxReceiveMessageSize(-1);
  // Without credentials that can be read no call is made.
  return NewChannelTo(address, credentials.value_or(Credentials()), arguments);
}

std::chrono::system_clock::time_point After(absl::Duration time) {
  return std::chrono::system_clock::now() +
         absl::ToChronoMilliseconds(std::min(time, absl::Hours(24 * 365)));
}

}  // namespace

Connection::Connection(const ConnectionOptions& options)
    : options_(options),
      credentials_(ReadCredentials(options_.tls, options_.login)),
      channel_(MakeChannel(options_.address, credentials_, Sharing::kShared)),
      messaging_(v1::MessagingService::NewStub(channel_)),
      topology_(v1::TopologyService::NewStub(channel_)),
      admin_(v1::AdminService::NewStub(channel_)) {}

std::shared_ptr<grpc::Channel> Connection::NewChannel() const {
  return MakeChannel(options_.address, credentials_, Sharing::kOwnConnection);
}

Target Connection::target() const {
  Target target = {options_.address, options_.vhost};
  target.has_tls = credentials_.ok() && credentials_->channel != nullptr;
  target.has_login = credentials_.ok() && !credentials_->authorization.empty();
  target.has_token = target.has_login && options_.login.user.empty();
  return target;
}

void Connection::SetDeadline(grpc::ClientContext* context,
                             absl::Duration extra) const {
  context->set_deadline(After(options_.timeout + extra));
}

absl::Status Connection::WaitForReady() {
  const auto deadline = After(options_.timeout);
  grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
  while (state != GRPC_CHANNEL_READY) {
    // The next call names the cause, and fails as fast as this one.
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) return absl::OkStatus();
    if (!channel_->WaitForStateChange(state, deadline)) {
      return NoConnectionInTime();
    }
    state = channel_->GetState(/*try_to_connect=*/true);
  }
  return absl::OkStatus();
}

absl::Status Connection::StatusOf(const grpc::Status& status,
                                  const grpc::ClientContext& context) const {
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
      channel_->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_READY) {
    return NoConnectionInTime();
  }
  return StatusOfCall(status, context);
}

absl::Status Connection::NoConnectionInTime() const {
  return absl::UnavailableError(absl::StrCat(
      "no connection within ", absl::FormatDuration(options_.timeout)));
}

}  // namespace kelpmq::service::cli
