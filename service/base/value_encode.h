#ifndef KELPMQ_SERVICE_BASE_VALUE_ENCODE_H_
#define KELPMQ_SERVICE_BASE_VALUE_ENCODE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "service/base/value.h"

namespace kelpmq::service {

// Writes what value_wire.h reads. Names and strings must be valid UTF-8.

// A kelpmq.v1.Value.
std::string EncodedValue(const Value& value);

// Appends one header to an encoded kelpmq.v1.Message. A header of the same
// name that stands there already is to be left out by the caller: it would
// only be overruled.
void AppendHeader(absl::string_view name, const Value& value,
                  std::string* message);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_VALUE_ENCODE_H_
