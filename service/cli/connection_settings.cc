#include "service/cli/connection_settings.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/cli/address.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

using Text = std::optional<std::string>;

bool IsGiven(const Text& text) { return text.has_value() && !text->empty(); }

absl::StatusOr<Address> ResolveAddress(const ConnectionSettings& given,
                                       const Environment& environment) {
  constexpr char kVariable[] = "KELPMQ_ADDRESS";
  const std::string text =
      given.address.has_value() ? *given.address : environment(kVariable);
  if (text.empty() && !given.address.has_value()) {
    Address usual;
    usual.target = ConnectionOptions().address;
    return usual;
  }
  absl::StatusOr<Address> address = ParseAddress(text);
  if (address.ok()) return address;
  return MakeFailure(
      ExitCode::kUsage,
      absl::StrCat(given.address.has_value() ? "--address" : kVariable, ": ",
                   address.status().message()),
      "as in broker:50672, unix:/run/kelpmq.sock or kelpmqs://USER@broker");
}

absl::StatusOr<bool> TlsOfEnvironment(const Environment& environment) {
  const std::string text = environment("KELPMQ_TLS");
  bool enabled = false;
  if (text.empty() || absl::EqualsIgnoreCase(text, "off")) return false;
  if (absl::EqualsIgnoreCase(text, "on")) return true;
  if (absl::SimpleAtob(text, &enabled)) return enabled;
  return MakeFailure(ExitCode::kUsage,
                     absl::StrCat("KELPMQ_TLS: '", OneLine(text),
                                  "' is neither true nor false"),
                     "set it to 1 or 0");
}

absl::StatusOr<TlsOptions> ResolveTls(const ConnectionSettings& given,
                                      const Address& address,
                                      const Environment& environment) {
  const auto either = [&environment](const Text& option, const char* variable) {
    return option.has_value() ? *option : environment(variable);
  };
  TlsOptions tls;
  tls.ca = either(given.tls_ca, "KELPMQ_TLS_CA");
  tls.certificate = either(given.tls_cert, "KELPMQ_TLS_CERT");
  tls.key = either(given.tls_key, "KELPMQ_TLS_KEY");
  tls.server_name = either(given.tls_server_name, "KELPMQ_TLS_SERVER_NAME");
  if (IsGiven(given.tls_ca) || IsGiven(given.tls_server_name)) {
    tls.enabled = true;
  } else if (given.tls.has_value()) {
    tls.enabled = *given.tls;
  } else if (address.tls.has_value()) {
    tls.enabled = *address.tls;
  } else {
    const absl::StatusOr<bool> enabled = TlsOfEnvironment(environment);
    if (!enabled.ok()) return enabled.status();
    tls.enabled = *enabled || !tls.ca.empty() || !tls.server_name.empty();
  }
  return tls;
}

LoginOptions ResolveLogin(const ConnectionSettings& given,
                          const Address& address,
                          const Environment& environment) {
  LoginOptions login;
  if (given.user.has_value() || given.token_file.has_value()) {
    login.user = given.user.value_or("");
    login.token_file = given.token_file.value_or("");
  } else if (!address.user.empty()) {
    login.user = address.user;
  } else {
    login.user = environment("KELPMQ_USER");
    login.token_file = environment("KELPMQ_TOKEN_FILE");
    if (login.token_file.empty()) login.token = environment("KELPMQ_TOKEN");
  }
  if (given.password_file.has_value()) {
    login.password_file = *given.password_file;
  } else if (login.user == address.user && !address.password.empty()) {
    login.password = address.password;
  } else {
    login.password_file = environment("KELPMQ_PASSWORD_FILE");
    if (login.password_file.empty()) {
      login.password = environment("KELPMQ_PASSWORD");
    }
  }
  return login;
}

}  // namespace

std::string EnvironmentVariable(const char* variable) {
  const char* const value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

absl::StatusOr<ConnectionOptions> Resolve(const ConnectionSettings& given,
                                          const Environment& environment) {
  const absl::StatusOr<Address> address = ResolveAddress(given, environment);
  if (!address.ok()) return address.status();
  absl::StatusOr<TlsOptions> tls = ResolveTls(given, *address, environment);
  if (!tls.ok()) return tls.status();
  ConnectionOptions options;
  options.address = address->target;
  options.tls = *std::move(tls);
  options.login = ResolveLogin(given, *address, environment);
  options.timeout = given.timeout;
  if (given.vhost.has_value()) {
    options.vhost = *given.vhost;
  } else if (!address->vhost.empty()) {
    options.vhost = address->vhost;
  } else {
    options.vhost = environment("KELPMQ_VHOST");
  }
  return options;
}

}  // namespace kelpmq::service::cli
