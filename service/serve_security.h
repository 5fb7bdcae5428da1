#ifndef KELPMQ_SERVICE_SERVE_SECURITY_H_
#define KELPMQ_SERVICE_SERVE_SECURITY_H_

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/status.h"
#include "service/broker.h"
#include "service/rpc/tls.h"

namespace kelpmq::service {

// What `serve` is told of who may connect, and how.
struct SecurityFlags {
  TlsFiles tls;
  std::string users_file;
  std::string definitions_file;

  // Whether a client has to prove who it is, one way or another.
  bool asks_who_it_is() const {
    return !users_file.empty() || !tls.client_ca.empty();
  }
};

void AddSecurityFlags(CLI::App* command, SecurityFlags* flags);

// Reads the files into the options, and sees to it that no core dump holds what
// was in them. kInvalidArgument: one cannot be read, or is not valid; the text
// names it.
absl::Status ReadSecurityFiles(const SecurityFlags& flags,
                               BrokerOptions* options);

// "--max-sessions": "KELPMQ_MAX_SESSIONS".
std::string EnvironmentNameOf(const std::string& flag);
// An option that the environment may set too.
CLI::Option* WithEnvironment(CLI::Option* option, const std::string& flag);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_SERVE_SECURITY_H_
