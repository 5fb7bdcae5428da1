#ifndef KELPMQ_SERVICE_CLI_ERRORS_H_
#define KELPMQ_SERVICE_CLI_ERRORS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace kelpmq::service::cli {

// What the process ends with; part of the command line's contract.
enum class ExitCode {
  kOk = 0,
  kFailed = 1,        // the broker refused, or something else went wrong
  kEmpty = 2,         // `get` found no message
  kUsage = 64,        // EX_USAGE: the command line is wrong
  kUnreachable = 69,  // EX_UNAVAILABLE: no broker answers at the address
};

// Errors of the command line are absl::Status values with payloads for what a
// person and a script need: reason, AMQP code, exit code, next step.
// `text` starts in lower case and has no full stop.

// A failure found on this side.
//   hint: what to do next, or empty.
absl::Status MakeFailure(ExitCode exit_code, absl::string_view text,
                         absl::string_view hint = "");

// The same failure with another next step. OK stays OK.
absl::Status WithHint(absl::Status status, absl::string_view hint);

// How a call ended, with reason and AMQP code from its trailers and the named
// resources from its status details. OK gives OK. To be called after the call
// has finished.
absl::Status StatusOfCall(const grpc::Status& status,
                          const grpc::ClientContext& context);

// Names of resources that an error is about, by "queue", "exchange", ...
using ErrorFacts = std::map<std::string, std::string>;

// A failure that the broker reported inside a response.
absl::Status StatusOfItem(int code, absl::string_view reason,
                          absl::string_view message, int amqp_code,
                          const ErrorFacts& facts = {});

// The reason's name (`QUEUE_NOT_FOUND`), empty if the failure has none.
std::string ReasonOf(const absl::Status& status);

// What a person is told about a failure.
struct FailureReport {
  ExitCode exit_code = ExitCode::kFailed;
  std::string line;  // "no queue 'jobs' in vhost '/' (QUEUE_NOT_FOUND, 404)"
  std::string hint;  // "declare it: kelpmq declare queue jobs", or empty
};

// Where a command was sent, and how, for hints that can be pasted.
struct Target {
  std::string address;
  std::string vhost;  // empty: the broker's default
  bool has_tls = false;
  bool has_login = false;
  bool has_token = false;  // and no user
};

FailureReport Explain(const absl::Status& status, const Target& target);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_ERRORS_H_
