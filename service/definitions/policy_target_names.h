#ifndef KELPMQ_SERVICE_DEFINITIONS_POLICY_TARGET_NAMES_H_
#define KELPMQ_SERVICE_DEFINITIONS_POLICY_TARGET_NAMES_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "service/base/types.h"

namespace kelpmq::service {

// What a policy applies to, as definitions name it in `apply-to`.
struct PolicyTargetName {
  PolicyTarget target;
  absl::string_view name;
};
inline constexpr PolicyTargetName kPolicyTargetNames[] = {
    {PolicyTarget::kAll, "all"},
    {PolicyTarget::kQueues, "queues"},
    {PolicyTarget::kExchanges, "exchanges"},
    {PolicyTarget::kClassicQueues, "classic_queues"},
    {PolicyTarget::kQuorumQueues, "quorum_queues"},
    {PolicyTarget::kStreams, "streams"},
};

inline absl::string_view NameOf(PolicyTarget target) {
  for (const PolicyTargetName& known : kPolicyTargetNames) {
    if (known.target == target) return known.name;
  }
  return "";  // there is no other
}

// nullopt: no such name.
inline std::optional<PolicyTarget> PolicyTargetOf(absl::string_view name) {
  for (const PolicyTargetName& known : kPolicyTargetNames) {
    if (known.name == name) return known.target;
  }
  return std::nullopt;
}

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_DEFINITIONS_POLICY_TARGET_NAMES_H_
