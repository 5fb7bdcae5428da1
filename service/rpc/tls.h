#ifndef KELPMQ_SERVICE_RPC_TLS_H_
#define KELPMQ_SERVICE_RPC_TLS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace kelpmq::service {

// Where a server's certificate is, in PEM files.
struct TlsFiles {
  std::string certificate;  // with its chain, the server's own first
  std::string key;
  std::string client_ca;  // empty: clients show no certificate

  bool wanted() const {
    return !certificate.empty() || !key.empty() || !client_ca.empty();
  }
};

// Credentials for TLS 1.2 and later that look for new files every second: what
// is replaced on disk holds for the next handshake, and connections that are
// open go on. While key and certificate do not fit, as in the middle of a
// replacement, no handshake succeeds: replace them together.
//   kInvalidArgument: a file is missing or cannot be read as what it should be,
//   or key and certificate do not belong together; the text names the file.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeTlsCredentials(
    const TlsFiles& files);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_TLS_H_
