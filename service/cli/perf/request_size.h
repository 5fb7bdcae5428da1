#ifndef KELPMQ_SERVICE_CLI_PERF_REQUEST_SIZE_H_
#define KELPMQ_SERVICE_CLI_PERF_REQUEST_SIZE_H_

#include <cstdint>

namespace kelpmq::service::cli::perf {

// How many messages of a load, with bodies of `size` bytes, surely fit into one
// request of at most `max_request_bytes`; 0: not even one. Pure.
uint32_t LargestBatch(uint32_t size, uint64_t max_request_bytes);

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_REQUEST_SIZE_H_
