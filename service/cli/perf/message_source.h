#ifndef KELPMQ_SERVICE_CLI_PERF_MESSAGE_SOURCE_H_
#define KELPMQ_SERVICE_CLI_PERF_MESSAGE_SOURCE_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "service/cli/perf/load_options.h"
#include "service/cli/perf/load_topology.h"

namespace kelpmq::service::cli::perf {

// The messages of one producer, each request encoded into one buffer without
// protobuf objects. All messages of a request have the same routing key; the
// next request has the next one.
// Thread-safety: thread-compatible.
class MessageSource {
 public:
  // `topology` must outlive it.
  MessageSource(uint16_t producer, const LoadOptions& options,
                const std::string& vhost, const LoadTopology* topology);

  // A kelpmq.v1.PublishStreamRequest with `count` messages.
  grpc::ByteBuffer NextBatch(uint32_t count, int64_t sent_ns);
  // A kelpmq.v1.PublishRequest.
  grpc::ByteBuffer NextMessage(int64_t sent_ns);

  // Messages made for a queue; for queue 0 if each goes to all.
  uint64_t sent(uint32_t queue) const { return sent_[queue]; }

 private:
  // Encoded parts that all requests with one key share.
  struct Template {
    std::string request;  // vhost, exchange, routing key
    std::string item;     // from an item's first byte to its body
    std::string message;  // the same for the message of a PublishRequest
    uint32_t queue = 0;
    uint64_t meant_for = 0;
  };

  grpc::ByteBuffer Encode(const Template& parts, const std::string& item,
                          uint32_t count, int64_t sent_ns);
  const Template& NextTemplate();

  const uint16_t producer_;
  std::string body_;
  std::vector<Template> templates_;
  size_t next_template_;
  std::vector<uint64_t> sent_;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_MESSAGE_SOURCE_H_
