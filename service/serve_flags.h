#ifndef KELPMQ_SERVICE_SERVE_FLAGS_H_
#define KELPMQ_SERVICE_SERVE_FLAGS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "service/base/log.h"
#include "service/broker.h"
#include "service/serve_security.h"

namespace kelpmq::service {

// What `serve` is told by its command line and the environment.
struct ServeFlags {
  BrokerOptions broker;
  std::string memory_mark = "60%";
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  bool insecure_listen = false;
  uint64_t exit_with_process = 0;  // none
  SecurityFlags security;
  absl::Duration drain_timeout = absl::Seconds(10);
};

// Adds the options of `serve` to its command; parsing it fills `flags`, which
// must live as long as the command.
void AddServeFlags(CLI::App* command, ServeFlags* flags);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_SERVE_FLAGS_H_
