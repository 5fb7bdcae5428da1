#ifndef KELPMQ_SERVICE_BASE_VALUE_WIRE_H_
#define KELPMQ_SERVICE_BASE_VALUE_WIRE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/base/message_wire.h"
#include "service/base/value.h"

namespace kelpmq::service {

// Entries of an encoded map<string, kelpmq.v1.Value>: the headers part of
// message_wire.h.

// Checks one entry, with the errors that ScanMessage has for headers. On
// success `*name` is its key and `*type` RabbitMQ's name of its value's type;
// neither outlives `entry`.
absl::Status ScanEntry(absl::string_view entry, const MessageLimits& limits,
                       absl::string_view* name, absl::string_view* type);

// Puts an entry that ScanEntry has accepted into `table`; it replaces an
// earlier one of the same name.
void DecodeEntry(absl::string_view entry, Table* table);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_VALUE_WIRE_H_
