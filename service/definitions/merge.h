#ifndef KELPMQ_SERVICE_DEFINITIONS_MERGE_H_
#define KELPMQ_SERVICE_DEFINITIONS_MERGE_H_

#include "absl/status/status.h"
#include "service/auth/user_store.h"
#include "service/definitions/definitions.h"
#include "service/definitions/definitions_store.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

enum class MergeMode {
  kApply,
  kCount,  // only says what kApply would do
};

// Merges the definitions into an engine and its users, and counts.
absl::Status Merge(const Definitions& definitions, MergeMode mode,
                   Engine* engine, UserStore* users, ImportResult* result);

// Whether Merge would succeed: tries everything out on `scratch`, an empty
// engine, to which it brings what the document needs of `engine`. Bindings of
// what is neither here nor there are taken out and named in the conflicts:
// RabbitMQ writes such ones, since it leaves internal exchanges out.
//   INVALID_VALUE, with the place in the document and what the engine says
absl::Status Validate(Engine* engine, const UserStore& users, Engine* scratch,
                      Definitions* definitions, ImportResult* result);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_DEFINITIONS_MERGE_H_
