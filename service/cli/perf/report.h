#ifndef KELPMQ_SERVICE_CLI_PERF_REPORT_H_
#define KELPMQ_SERVICE_CLI_PERF_REPORT_H_

#include <nlohmann/json.hpp>

#include "service/cli/output.h"
#include "service/cli/perf/load_result.h"

namespace kelpmq::service::cli::perf {

// For programs. What is not known (it needs --server-pid, or a body of 20
// bytes) is null; rates are of no time, and 0, if interrupted before.
nlohmann::ordered_json JsonOf(const LoadResult& result);

// For people.
void PrintReport(const LoadResult& result, Output* output);

}  // namespace kelpmq::service::cli::perf

#endif  // KELPMQ_SERVICE_CLI_PERF_REPORT_H_
