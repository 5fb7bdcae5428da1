#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_POLICIES_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_POLICIES_H_

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/base/types.h"
#include "service/queue/queue_arguments.h"

namespace re2 {
class RE2;
}

namespace kelpmq::service {

// The policies of one vhost, and which of them holds for what.
// Thread-safety: thread-compatible.
class Policies {
 public:
  Policies();
  ~Policies();

  // Adds the policy or replaces its namesake; true: added.
  //   INVALID_NAME; INVALID_VALUE, metadata `argument`: a pattern that is no
  //   regular expression of RE2, a setting that is unknown or out of range
  absl::StatusOr<bool> Put(PolicyInfo policy);
  // True if it was there.
  bool Delete(const std::string& name);

  // The one policy for a queue or an exchange: of those whose pattern is found
  // in its name that of the highest priority, of equal ones the first by name
  // (POLICY-06, POLICY-07). Null: none. Holds until the next change.
  const PolicyInfo* FindForQueue(absl::string_view name, QueueType type) const;
  const PolicyInfo* FindForExchange(absl::string_view name) const;

  // By name.
  std::vector<PolicyInfo> List() const;
  bool empty() const { return policies_.empty(); }

 private:
  struct Entry {
    PolicyInfo info;
    std::unique_ptr<const re2::RE2> pattern;
  };

  // Of those that apply to what all of `targets` name.
  const PolicyInfo* Find(absl::string_view name,
                         std::initializer_list<PolicyTarget> targets) const;

  absl::btree_map<std::string, Entry> policies_;
};

// What holds for a queue under a policy: for numbers the smaller of argument
// and setting (POLICY-05), for strings the argument (POLICY-02). `declared` is
// what the arguments in `spec` mean; a null policy changes nothing.
QueueArguments UnderPolicy(const QueueSpec& spec,
                           const QueueArguments& declared,
                           const PolicyInfo* policy);

// The alternate exchange that a policy sets; nullopt: none (POLICY-03).
std::optional<std::string> AlternateOf(const PolicyInfo* policy);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_POLICIES_H_
