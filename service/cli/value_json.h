#ifndef KELPMQ_SERVICE_CLI_VALUE_JSON_H_
#define KELPMQ_SERVICE_CLI_VALUE_JSON_H_

#include <google/protobuf/map.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kelpmq/v1/types.pb.h"

namespace kelpmq::service::cli {

using Arguments = google::protobuf::Map<std::string, v1::Value>;

// AMQP field values as JSON. Strings, numbers, booleans, null, tables and
// arrays are their JSON likes; integer widths are lost (all read back as 64
// bits). What JSON has no like for is an object with one key:
// {"$bytes": base64}, {"$raw_string": base64}, {"$timestamp": seconds},
// {"$decimal": {"scale": n, "unscaled": n}}.
nlohmann::ordered_json JsonOf(const v1::Value& value);
nlohmann::ordered_json JsonOf(const Arguments& arguments);

// The reverse. Errors: an integer beyond 64 bits, nesting deeper than any
// broker takes, a malformed `$` object.
absl::StatusOr<v1::Value> ValueOf(const nlohmann::ordered_json& json);

// Adds `key=value` words of the command line to `arguments`. A value that is
// JSON has its type (`n=5`, `on=true`, `s="5"`); any other is a string.
// Errors (usage): a word without '=', a key given twice.
//   flag: the option they were given with, for the error text.
absl::Status AddArguments(const std::vector<std::string>& words,
                          absl::string_view flag, Arguments* arguments);

// Arguments on one line for tables: `x-max-length=5 x-overflow=drop-head`.
std::string Summary(const Arguments& arguments);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_VALUE_JSON_H_
