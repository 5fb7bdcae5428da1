#ifndef KELPMQ_SERVICE_DEFINITIONS_DEFINITIONS_STORE_H_
#define KELPMQ_SERVICE_DEFINITIONS_DEFINITIONS_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/auth/user_store.h"
#include "service/base/mutex.h"
#include "service/definitions/definitions.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// What an import came to.
struct ImportResult {
  uint32_t created_count = 0;    // made or overwritten
  uint32_t unchanged_count = 0;  // there already, and equal
  std::vector<std::string> conflicts;
  std::vector<std::string> ignored_sections;
};

// Brings definitions documents in and writes them out.
// Thread-safety: thread-safe, but for one import at a time. Its functions wait
// for the engine, so neither the engine nor a poller may call them. What is
// handed in must outlive it.
class DefinitionsStore {
 public:
  // `make_scratch` makes an empty engine with the same rules as `engine`, on
  // which a document is tried out.
  DefinitionsStore(Engine* engine, UserStore* users,
                   std::function<std::unique_ptr<Engine>()> make_scratch)
      : engine_(engine),
        users_(users),
        make_scratch_(std::move(make_scratch)) {}

  // Checks the whole document, then merges it: what is absent is made, what
  // can be changed is overwritten, what cannot be and differs is left and named
  // in `conflicts`, as are bindings of what is not there. `validate_only` stops
  // before anything is changed.
  //   INVALID_VALUE: not a valid document; nothing was changed
  absl::StatusOr<ImportResult> Import(absl::string_view json,
                                      const std::optional<std::string>& vhost,
                                      bool validate_only);

  // What there is, of one vhost or of all; nothing exclusive, and none of the
  // exchanges that every vhost has. VHOST_NOT_FOUND.
  absl::StatusOr<std::string> Export(const std::optional<std::string>& vhost);

 private:
  void Keep(const nlohmann::ordered_json& sections);

  Engine* const engine_;
  UserStore* const users_;
  const std::function<std::unique_ptr<Engine>()> make_scratch_;

  Mutex mu_;
  nlohmann::ordered_json kept_ ABSL_GUARDED_BY(mu_) =
      nlohmann::ordered_json::object();
};

// Applies what a users file may hold, which is all that concerns users.
//   INVALID_VALUE: there is something else in it, or it is not valid
absl::Status ReadUsersFile(absl::string_view json, UserStore* users);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_DEFINITIONS_DEFINITIONS_STORE_H_
