#ifndef KELPMQ_SERVICE_CLI_PERF_PROCESS_USAGE_H_
#define KELPMQ_SERVICE_CLI_PERF_PROCESS_USAGE_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace kelpmq::service::cli::perf {

// What /proc says of CPU and memory. CPU is in seconds, counted by the kernel
// in ticks of 10 ms. None: there is no such process.
std::optional<double> CpuSecondsOf(pid_t pid);
std::optional<uint64_t> ResidentBytesOf(pid_t pid);

// All CPUs together, since boot: everything but idleness. Time that the
// hypervisor gave to others counts as busy too, since nobody here had it.
double BusyCpuSeconds();

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_PROCESS_USAGE_H_
