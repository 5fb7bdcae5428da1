#ifndef KELPMQ_SERVICE_CLI_PERF_QUEUED_MEMORY_H_
#define KELPMQ_SERVICE_CLI_PERF_QUEUED_MEMORY_H_

#include <cstdint>
#include <optional>

namespace kelpmq::service::cli::perf {

// What a queued message costs, by how much a process grew while `messages` with
// bodies of `size` bytes came into its queues. None: it grew by less than the
// bodies, so it had freed memory to put them into; or there are no messages.
// Pure.
inline std::optional<double> BytesPerQueuedMessage(uint64_t rss_before,
                                                   uint64_t rss_after,
                                                   uint64_t messages,
                                                   uint32_t size) {
  if (messages == 0 || rss_after < rss_before) return std::nullopt;
  const double bytes = static_cast<double>(rss_after - rss_before) /
                       static_cast<double>(messages);
  if (bytes < size) return std::nullopt;
  return bytes;
}

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_QUEUED_MEMORY_H_
