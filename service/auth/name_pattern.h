#ifndef KELPMQ_SERVICE_AUTH_NAME_PATTERN_H_
#define KELPMQ_SERVICE_AUTH_NAME_PATTERN_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace re2 {
class RE2;
}

namespace kelpmq::service {

// One regular expression of a permission (AUTH-09): not anchored; an empty one
// matches the empty name alone. Works on bytes, as RabbitMQ's do, and in time
// linear in the name.
// Thread-safety: immutable, so thread-safe. Copies share.
class NamePattern {
 public:
  // Matches the empty name alone.
  NamePattern();

  // INVALID_VALUE: not a regular expression of RE2's syntax (which has no look
  // around and no back references), or one that is too large. `what` says in
  // the error's text which one: "configure".
  static absl::StatusOr<NamePattern> Compile(absl::string_view what,
                                             absl::string_view text);

  bool Matches(absl::string_view name) const;

 private:
  explicit NamePattern(std::shared_ptr<const re2::RE2> pattern)
      : pattern_(std::move(pattern)) {}

  std::shared_ptr<const re2::RE2> pattern_;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_NAME_PATTERN_H_
