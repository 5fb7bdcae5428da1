#ifndef KELPMQ_SERVICE_CLI_PERF_CONTIGUOUS_H_
#define KELPMQ_SERVICE_CLI_PERF_CONTIGUOUS_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "absl/strings/string_view.h"

namespace kelpmq::service::cli::perf {

// A message's bytes in one piece; no copy when gRPC has them so. Empty if they
// cannot be had.
class Contiguous {
 public:
  explicit Contiguous(const grpc::ByteBuffer& bytes) {
    if (bytes.TrySingleSlice(&slice_).ok()) return;
    // Fails only for broken compression, which then reads as no fields.
    (void)bytes.DumpToSingleSlice(&slice_);
  }
  absl::string_view view() const {
    return {reinterpret_cast<const char*>(slice_.begin()), slice_.size()};
  }

 private:
  grpc::Slice slice_;
};

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_CONTIGUOUS_H_
