#include "client/cpp/src/channel.h"

#include <grpcpp/create_channel.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kelpmq::client {
namespace {

constexpr int kKeepaliveIntervalMs = 30'000;  // the API's advice to clients
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr absl::string_view kDefaultPort = ":50672";

absl::Status ReadFile(const std::string& path, std::string* content) {
  if (path.empty()) return absl::OkStatus();
  std::ifstream file(path, std::ios::binary);
  if (file) {
    content->assign(std::istreambuf_iterator<char>(file),
                    std::istreambuf_iterator<char>());
  }
  if (!file || file.bad()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read the TLS file '", path, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> TlsCredentials(
    const TlsOptions& tls) {
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    return absl::InvalidArgumentError(
        "TLS: cert_file and key_file are needed both, or none");
  }
  grpc::SslCredentialsOptions options;
  absl::Status status = ReadFile(tls.ca_file, &options.pem_root_certs);
  status.Update(ReadFile(tls.cert_file, &options.pem_cert_chain));
  status.Update(ReadFile(tls.key_file, &options.pem_private_key));
  if (!status.ok()) return status;
  return grpc::SslCredentials(options);
}

absl::Status Check(const BackoffOptions& backoff) {
  if (backoff.initial < absl::ZeroDuration() || backoff.max < backoff.initial ||
      !(backoff.multiplier >= 1) ||
      !(backoff.jitter >= 0 && backoff.jitter <= 1)) {
    return absl::InvalidArgumentError(
        "backoff: needs 0 <= initial <= max, multiplier >= 1 and jitter of 0 "
        "to 1");
  }
  return absl::OkStatus();
}

}  // namespace

std::string AddressWithPort(absl::string_view address) {
  const bool has_scheme =
      absl::StartsWith(address, "unix:") || absl::StrContains(address, "://");
  const bool has_port = absl::StartsWith(address, "[")
                            ? absl::StrContains(address, "]:")
                            : absl::StrContains(address, ":");
  if (has_scheme || has_port) return std::string(address);
  return absl::StrCat(address, kDefaultPort);
}

std::string AuthorizationOf(const Credentials& credentials) {
  if (const auto* basic = std::get_if<BasicCredentials>(&credentials)) {
    return absl::StrCat("Basic ", absl::Base64Escape(absl::StrCat(
                                      basic->user, ":", basic->password)));
  }
  if (const auto* token = std::get_if<TokenSource>(&credentials)) {
    return absl::StrCat("Bearer ", (*token)());
  }
  return "";
}

absl::StatusOr<ChannelFactory> ChannelFactory::Make(
    const ClientOptions& options) {
  if (options.address.empty()) {
    return absl::InvalidArgumentError("address is empty");
  }
  const absl::Status backoff = Check(options.backoff);
  if (!backoff.ok()) return backoff;

  ChannelFactory factory;
  factory.address_ = AddressWithPort(options.address);
  factory.credentials_ = grpc::InsecureChannelCredentials();
  grpc::ChannelArguments& arguments = factory.arguments_;
  if (options.tls.has_value()) {
    auto credentials = TlsCredentials(*options.tls);
    if (!credentials.ok()) return credentials.status();
    factory.credentials_ = *std::move(credentials);
    if (!options.tls->server_name.empty()) {
      arguments.SetSslTargetNameOverride(options.tls->server_name);
    }
  }
  // Else a new channel would wait in the back-off of the one before it.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(
      GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
      static_cast<int>(absl::ToInt64Milliseconds(options.backoff.max)));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveIntervalMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A broker beside its client is not behind the proxy that http_proxy names.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // The broker's limits decide how large an answer may be.
  arguments.SetMaxReceiveMessageSize(-1);
  return factory;
}

std::shared_ptr<grpc::Channel> ChannelFactory::NewChannel() const {
  return grpc::CreateCustomChannel(address_, credentials_, arguments_);
}

}  // namespace kelpmq::client
