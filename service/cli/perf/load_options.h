#ifndef KELPMQ_SERVICE_CLI_PERF_LOAD_OPTIONS_H_
#define KELPMQ_SERVICE_CLI_PERF_LOAD_OPTIONS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace kelpmq::service::cli::perf {

// What load to make. As the flags of `kelpmq perf`, which explains them.
struct LoadOptions {
  uint32_t producers = 1;
  uint32_t consumers = 1;
  uint32_t connections = 0;  // that consumers share; 0: one for each
  uint32_t queues = 1;
  uint32_t bindings = 0;  // of all queues together; 0: one for each
  std::string exchange_type = "topic";
  uint32_t size = 100;            // of a body, in bytes
  uint32_t batch = 64;            // messages in one request
  uint32_t confirm_window = 512;  // messages of one producer, unconfirmed
  uint32_t prefetch = 500;        // of one consumer
  uint32_t ack_batch = 100;
  double rate = 0;  // messages a second of all producers; 0: as many as go
  bool auto_ack = false;
  bool durable = false;
  bool unary = false;  // Publish instead of PublishStream, one message each
  // Names instead of a topology of its own: nothing is declared or deleted.
  std::string use_queue;

  uint64_t backlog = 0;   // messages that are queued before consumers start
  uint64_t messages = 0;  // 0: until the time is over
  absl::Duration warmup = absl::Seconds(1);
  absl::Duration duration = absl::Seconds(10);
  pid_t server_pid = 0;  // 0: not known
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_LOAD_OPTIONS_H_
