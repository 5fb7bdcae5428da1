#include "service/cli/credentials.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/client_interceptor.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "service/cli/errors.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

using grpc::experimental::InterceptionHookPoints;

constexpr char kAuthorization[] = "authorization";

absl::StatusOr<std::string> ReadFile(absl::string_view option,
                                     const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  if (file) content << file.rdbuf();
  if (!file) {
    return MakeFailure(ExitCode::kUsage,
                       absl::StrCat("cannot read ", option, " ", OneLine(path),
                                    ": ", std::strerror(errno)));
  }
  return content.str();
}

// The first line of the file, or the secret itself if no file is named.
absl::StatusOr<std::string> ReadSecret(absl::string_view option,
                                       const std::string& path,
                                       const std::string& secret) {
  if (path.empty()) return secret;
  absl::StatusOr<std::string> content = ReadFile(option, path);
  if (!content.ok()) return content.status();
  content->resize(std::min(content->size(), content->find('\n')));
  absl::StripTrailingAsciiWhitespace(&*content);
  return content;
}

absl::StatusOr<std::string> ReadAuthorization(const LoginOptions& login) {
  const absl::StatusOr<std::string> token =
      ReadSecret("--token-file", login.token_file, login.token);
  if (!token.ok()) return token.status();
  if (login.user.empty()) {
    return token->empty() ? "" : absl::StrCat("Bearer ", *token);
  }
  if (!token->empty()) {
    return MakeFailure(ExitCode::kUsage,
                       "there are a user and a token to log in with",
                       "give one of --user and --token-file, and look for "
                       "KELPMQ_USER and KELPMQ_TOKEN in the environment");
  }
  const absl::StatusOr<std::string> password =
      ReadSecret("--password-file", login.password_file, login.password);
  if (!password.ok()) return password.status();
  if (password->empty()) {
    return MakeFailure(
        ExitCode::kUsage,
        absl::StrCat("user '", OneLine(login.user), "' has no password"),
        "set KELPMQ_PASSWORD, or put it into a file: --password-file FILE");
  }
  return absl::StrCat(
      "Basic ", absl::Base64Escape(absl::StrCat(login.user, ":", *password)));
}

// An encrypted key would have gRPC ask on the terminal; it has no password.
int NoPassword(char*, int, int, void*) { return -1; }

// gRPC itself would only fail at the handshake, and not say why.
absl::Status CheckPem(absl::string_view option, const std::string& path,
                      const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  const bool is_key = option == "--tls-key";
  bool found = false;
  if (is_key) {
    EVP_PKEY* const key =
        PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassword, nullptr);
    found = key != nullptr;
    EVP_PKEY_free(key);
  } else {
    X509* const certificate =
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr);
    found = certificate != nullptr;
    X509_free(certificate);
  }
  ERR_clear_error();
  if (found) return absl::OkStatus();
  return MakeFailure(
      ExitCode::kUsage,
      absl::StrCat(option, " ", OneLine(path),
                   is_key ? ": holds no unencrypted private key in PEM form"
                          : ": holds no certificate in PEM form"));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ReadTls(
    const TlsOptions& tls) {
  grpc::SslCredentialsOptions options;
  const std::pair<const char*, std::pair<const std::string*, std::string*>>
      files[] = {{"--tls-ca", {&tls.ca, &options.pem_root_certs}},
                 {"--tls-cert", {&tls.certificate, &options.pem_cert_chain}},
                 {"--tls-key", {&tls.key, &options.pem_private_key}}};
  if (tls.certificate.empty() != tls.key.empty()) {
    return MakeFailure(ExitCode::kUsage,
                       "--tls-cert and --tls-key go together");
  }
  for (const auto& [option, file] : files) {
    if (file.first->empty()) continue;
    absl::StatusOr<std::string> pem = ReadFile(option, *file.first);
    if (!pem.ok()) return pem.status();
    absl::Status check = CheckPem(option, *file.first, *pem);
    if (!check.ok()) return check;
    *file.second = *std::move(pem);
  }
  return grpc::SslCredentials(options);
}

// Adds the metadata to each call, also where there is no TLS: gRPC's own call
// credentials refuse that, but a Unix socket or loopback needs none.
class AuthorizationInterceptor : public grpc::experimental::Interceptor {
 public:
  explicit AuthorizationInterceptor(const std::string* authorization)
      : authorization_(authorization) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* batch) override {
    if (batch->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      batch->GetSendInitialMetadata()->emplace(kAuthorization, *authorization_);
    }
    batch->Proceed();
  }

 private:
  const std::string* const authorization_;
};

class AuthorizationFactory
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit AuthorizationFactory(std::string authorization)
      : authorization_(std::move(authorization)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new AuthorizationInterceptor(&authorization_);
  }

 private:
  const std::string authorization_;
};

}  // namespace

absl::StatusOr<Credentials> ReadCredentials(const TlsOptions& tls,
                                            const LoginOptions& login) {
  Credentials credentials;
  absl::StatusOr<std::string> authorization = ReadAuthorization(login);
  if (!authorization.ok()) return authorization.status();
  credentials.authorization = *std::move(authorization);
  if (tls.enabled) {
    credentials.server_name = tls.server_name;
    auto channel = ReadTls(tls);
    if (!channel.ok()) return channel.status();
    credentials.channel = *std::move(channel);
  }
  return credentials;
}

std::shared_ptr<grpc::Channel> NewChannelTo(const std::string& address,
                                            const Credentials& credentials,
                                            grpc::ChannelArguments arguments) {
  if (!credentials.server_name.empty()) {
    arguments.SetSslTargetNameOverride(credentials.server_name);
  }
  const auto channel = credentials.channel != nullptr
                           ? credentials.channel
                           : grpc::InsecureChannelCredentials();
  if (credentials.authorization.empty()) {
    return grpc::CreateCustomChannel(address, channel, arguments);
  }
  std::vector<
      std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
      factories;
  factories.push_back(
      std::make_unique<AuthorizationFactory>(credentials.authorization));
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      address, channel, arguments, std::move(factories));
}

}  // namespace kelpmq::service::cli
