#ifndef KELPMQ_SERVICE_CLI_PERF_LOAD_TOPOLOGY_H_
#define KELPMQ_SERVICE_CLI_PERF_LOAD_TOPOLOGY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/cli/connection.h"
#include "service/cli/perf/call_loop.h"
#include "service/cli/perf/load_options.h"
#include "service/cli/perf/stamp.h"

namespace kelpmq::service::cli::perf {

// The exchange, queues and bindings of one load. Names are new with each one,
// so that loads do not meet; exchange and keys are short, since each message
// carries them.
// Thread-safety: for one thread.
class LoadTopology {
 public:
  // What producers publish with, in turn.
  struct Key {
    std::string routing_key;
    std::string headers;  // fields of an encoded kelpmq.v1.Message
    uint32_t queue = 0;   // where it leads; 0 if to all
  };

  explicit LoadTopology(const LoadOptions& options);

  // Declares all of it. Afterwards, but for use_queue, Delete is due.
  absl::Status Declare(Connection* connection, CallLoop* loop);
  absl::Status Delete(Connection* connection, CallLoop* loop);

  const std::string& exchange() const { return exchange_; }
  std::string queue(uint32_t index) const;
  const std::vector<Key>& keys() const { return keys_; }
  // What the stamp of a message says besides its body; queue 0 if to all.
  uint64_t meant_for(uint32_t queue) const {
    return MeantFor(load_id_, fans_out_ ? 0 : queue);
  }
  // The queue was there before: others' messages may be in it.
  bool is_shared() const { return !options_.use_queue.empty(); }
  // Each message goes to every queue.
  bool fans_out() const { return fans_out_; }

 private:
  absl::Status DeclareExchange(Connection* connection);
  std::string BindRequest(const std::string& vhost, uint32_t binding) const;
  uint32_t binding_count() const;

  const LoadOptions options_;
  const bool fans_out_;
  const uint32_t load_id_;
  std::string exchange_;
  std::string queue_prefix_;
  std::vector<Key> keys_;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_LOAD_TOPOLOGY_H_
