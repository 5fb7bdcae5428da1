#ifndef KELPMQ_SERVICE_CLI_PERF_UNARY_CALLS_H_
#define KELPMQ_SERVICE_CLI_PERF_UNARY_CALLS_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/channel.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/cli/perf/call_loop.h"

namespace kelpmq::service::cli::perf {

// Makes one unary call of raw bytes. `done` runs on the loop, once.
using UnaryDone =
    std::function<void(const absl::Status&, const grpc::ByteBuffer& response)>;
void StartUnaryCall(CallLoop* loop,
                    const std::shared_ptr<grpc::Channel>& channel,
                    const std::string& method, const grpc::ByteBuffer& request,
                    absl::Duration timeout, UnaryDone done);

// Makes `count` calls, a number of them at a time, and waits for all.
//   request: the i-th one, encoded.
// The first failure, if there is any; what has begun is still waited for.
absl::Status CallMany(CallLoop* loop,
                      const std::shared_ptr<grpc::Channel>& channel,
                      const std::string& method, size_t count,
                      absl::Duration timeout,
                      const std::function<std::string(size_t i)>& request);

grpc::ByteBuffer BufferOf(const std::string& bytes);

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_UNARY_CALLS_H_
