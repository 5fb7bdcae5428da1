#ifndef KELPMQ_SERVICE_BASE_MESSAGE_EDIT_H_
#define KELPMQ_SERVICE_BASE_MESSAGE_EDIT_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "service/base/message.h"
#include "service/base/value.h"

namespace kelpmq::service {

// The few changes that the broker makes to a message before it is delivered.
// A message that needs none is returned as it is, and not copied.

inline constexpr absl::string_view kBccHeader = "BCC";

// With its BCC header hidden: it is not delivered (CC-02), but goes on to
// route the message should that be dead-lettered (DLX-07).
MessageRef WithBccHidden(MessageRef message);

// How long a delayed exchange holds a message with these headers, in
// milliseconds (PLUG-06); nullopt: not at all.
std::optional<int64_t> DelayOf(const Table& headers);

// With the x-delay header negated, as it is delivered after the delay: no
// exchange holds it again (PLUG-06).
MessageRef WithDelayServed(MessageRef message);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_MESSAGE_EDIT_H_
