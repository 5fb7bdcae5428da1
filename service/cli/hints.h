#ifndef KELPMQ_SERVICE_CLI_HINTS_H_
#define KELPMQ_SERVICE_CLI_HINTS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "service/cli/errors.h"

namespace kelpmq::service::cli {

// What to do next about an error with this reason; empty if nobody can say.
//   text: what the broker says, where one reason has several causes.
std::string HintFor(absl::string_view reason, absl::string_view text,
                    const ErrorFacts& facts, const Target& target);

// What commands in hints take on to reach the vhost of the command that failed:
// " --vhost NAME", or nothing.
std::string VhostOption(const Target& target);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_HINTS_H_
