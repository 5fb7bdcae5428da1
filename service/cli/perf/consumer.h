#ifndef KELPMQ_SERVICE_CLI_PERF_CONSUMER_H_
#define KELPMQ_SERVICE_CLI_PERF_CONSUMER_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "service/cli/perf/client_stream.h"
#include "service/cli/perf/counters.h"
#include "service/cli/perf/ledger.h"
#include "service/cli/perf/load_options.h"
#include "service/cli/perf/load_topology.h"

namespace kelpmq::service::cli::perf {

// Consumers a Consume stream may have (the broker's default limit).
inline constexpr size_t kMaxQueuesPerStream = 256;

// One Consume stream with a consumer for each of its queues: checks every
// message, and acknowledges them in batches.
// Thread-safety: for the loop's thread.
class Consumer : private ClientStream::Events {
 public:
  // Queues by index; at most kMaxQueuesPerStream. `topology`, `ledger` and
  // `counters` must outlive it.
  Consumer(CallLoop* loop, std::shared_ptr<grpc::Channel> channel,
           const LoadOptions& options, const std::string& vhost,
           const LoadTopology* topology, std::vector<uint32_t> queues,
           Ledger* ledger, Counters* counters);

  // All its consumers are there.
  bool started() const { return started_ == subscriptions_.size(); }
  // Acknowledges all that has come, however little, and goes on doing so.
  void Flush();
  // An ack for all that has come has been written, or is being.
  bool all_acked() const { return unacked_ == 0; }
  void Close() { stream_.Close(); }
  void Cancel() { stream_.Cancel(); }
  bool over() const { return stream_.over(); }

 private:
  struct Subscription {
    uint32_t queue = 0;
    uint64_t meant_for = 0;
    // By producer, plus one; 0: none has come.
    std::vector<uint64_t> last_sequence;
  };

  void OnRead(const grpc::ByteBuffer& message) override;
  void OnWritable() override;
  void OnOver(const absl::Status& status) override;
  void OnDelivery(absl::string_view encoded, int64_t now_ns);
  void OnUnknown();
  void OnCancelled(absl::string_view encoded);
  void OnSettled(absl::string_view encoded);
  grpc::ByteBuffer StartRequest(size_t index) const;
  void AckIfDue();
  // Nothing orders unary calls that are in flight together.
  bool promises_order() const {
    return !options_.unary || options_.confirm_window == 1;
  }

  const LoadOptions options_;
  const std::string vhost_;
  const LoadTopology* const topology_;
  Ledger* const ledger_;
  Counters* const counters_;
  std::vector<Subscription> subscriptions_;  // by consumer_id
  size_t start_sent_ = 0;
  size_t started_ = 0;
  uint32_t ack_batch_;
  uint32_t unacked_ = 0;
  uint32_t unacked_strangers_ = 0;  // of those
  uint64_t last_tag_ = 0;
  ClientStream stream_;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_CONSUMER_H_
