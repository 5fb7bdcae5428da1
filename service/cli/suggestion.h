#ifndef KELPMQ_SERVICE_CLI_SUGGESTION_H_
#define KELPMQ_SERVICE_CLI_SUGGESTION_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kelpmq::service::cli {

// What somebody meant who typed a name that is not there. Pure functions.
// Thread-safety: all are reentrant.

// The name that differs by a slip of the fingers, or empty.
std::string NearestName(absl::string_view typed,
                        const std::vector<std::string>& names);

// The command that `typed` stands for, or empty: a slip, two words written as
// one (`list_queues`) or in the other order (`queue declare`), or what other
// tools call it (`sub`).
//   following: the word after it, or empty.
//   commands: all there are, as paths: "list", "list queues", ...
std::string MeantCommand(absl::string_view typed, absl::string_view following,
                         const std::vector<std::string>& commands);

// The option of a command, which has `options`, that was meant: a word of
// RabbitMQ's PerfTest or a slip. Empty: nobody can say.
std::string MeantOption(absl::string_view typed,
                        const std::vector<std::string>& options);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_SUGGESTION_H_
