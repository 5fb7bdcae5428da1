#include "service/rpc/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace kelpmq::service {
namespace {

using grpc::experimental::FileWatcherCertificateProvider;
using grpc::experimental::TlsServerCredentialsOptions;

constexpr unsigned int kRefreshSeconds = 1;

template <typename T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* thing) const { Free(thing); }
};
using X509Ptr = std::unique_ptr<X509, Deleter<X509, X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY, EVP_PKEY_free>>;
struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioDeleter>;

absl::Status Wrong(absl::string_view option, const std::string& path,
                   absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(option, " ", path, ": ", why));
}

absl::StatusOr<std::string> ReadFile(absl::string_view option,
                                     const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  if (file) content << file.rdbuf();
  if (!file) return Wrong(option, path, std::strerror(errno));
  return content.str();
}

absl::StatusOr<X509Ptr> ReadCertificate(absl::string_view option,
                                        const std::string& path) {
  absl::StatusOr<std::string> pem = ReadFile(option, path);
  if (!pem.ok()) return pem.status();
  const BioPtr bio(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())));
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    return Wrong(option, path, "holds no certificate in PEM form");
  }
  return certificate;
}

// An encrypted key would have gRPC ask on the terminal; it has no password.
int NoPassword(char*, int, int, void*) { return -1; }

absl::StatusOr<KeyPtr> ReadKey(absl::string_view option,
                               const std::string& path) {
  absl::StatusOr<std::string> pem = ReadFile(option, path);
  if (!pem.ok()) return pem.status();
  const BioPtr bio(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())));
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  OPENSSL_cleanse(pem->data(), pem->size());
  if (key == nullptr) {
    return Wrong(option, path, "holds no unencrypted private key in PEM form");
  }
  return key;
}

// What gRPC would find out only at the first handshake, without a word to us.
absl::Status Check(const TlsFiles& files) {
  if (files.certificate.empty() || files.key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-cert and --tls-key go together: the certificate and its private "
        "key");
  }
  absl::StatusOr<X509Ptr> certificate =
      ReadCertificate("--tls-cert", files.certificate);
  if (!certificate.ok()) return certificate.status();
  absl::StatusOr<KeyPtr> key = ReadKey("--tls-key", files.key);
  if (!key.ok()) return key.status();
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    return Wrong("--tls-key", files.key,
                 "is not the key of the certificate in --tls-cert");
  }
  if (files.client_ca.empty()) return absl::OkStatus();
  return ReadCertificate("--tls-client-ca", files.client_ca).status();
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeTlsCredentials(
    const TlsFiles& files) {
  if (absl::Status valid = Check(files); !valid.ok()) return valid;
  const bool mutual = !files.client_ca.empty();
  const auto provider =
      mutual
          ? std::make_shared<FileWatcherCertificateProvider>(
                files.key, files.certificate, files.client_ca, kRefreshSeconds)
          : std::make_shared<FileWatcherCertificateProvider>(
                files.key, files.certificate, kRefreshSeconds);
  TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  if (mutual) {
    options.watch_root_certs();
    options.set_cert_request_type(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace kelpmq::service
