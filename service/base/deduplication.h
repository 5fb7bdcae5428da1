#ifndef KELPMQ_SERVICE_BASE_DEDUPLICATION_H_
#define KELPMQ_SERVICE_BASE_DEDUPLICATION_H_

#include <optional>
#include <string>

#include "service/base/value.h"

namespace kelpmq::service {

// What tells messages from their duplicates (PLUG-07): the value of the header
// x-deduplication-header, the same for integers of any width. nullopt: the
// message has none, and no duplicates.
std::optional<std::string> DeduplicationKey(const Table& headers);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_BASE_DEDUPLICATION_H_
