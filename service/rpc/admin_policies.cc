// AdminService's policies.

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/rpc/admin_service.h"
#include "service/rpc/convert.h"
#include "service/rpc/paging.h"

namespace kelpmq::service {
namespace {

// RE2 needs memory with the length of a pattern; nobody writes such a one.
constexpr size_t kMaxPatternBytes = 4096;

absl::StatusOr<PolicyTarget> ToTarget(v1::PolicyTarget target) {
  switch (target) {
    case v1::POLICY_TARGET_UNSPECIFIED:
    case v1::POLICY_TARGET_ALL:
      return PolicyTarget::kAll;
    case v1::POLICY_TARGET_QUEUES:
      return PolicyTarget::kQueues;
    case v1::POLICY_TARGET_EXCHANGES:
      return PolicyTarget::kExchanges;
    case v1::POLICY_TARGET_CLASSIC_QUEUES:
      return PolicyTarget::kClassicQueues;
    case v1::POLICY_TARGET_QUORUM_QUEUES:
      return PolicyTarget::kQuorumQueues;
    case v1::POLICY_TARGET_STREAMS:
      return PolicyTarget::kStreams;
    default:
      return MakeError(
          Reason::kInvalidValue,
          absl::StrCat("apply_to ", static_cast<int>(target), " is unknown"),
          {{"argument", "apply_to"}});
  }
}

absl::StatusOr<PolicyInfo> ToPolicy(const v1::Policy& policy) {
  PolicyInfo info;
  info.vhost = policy.vhost();
  info.name = policy.name();
  if (policy.pattern().size() > kMaxPatternBytes) {
    return MakeError(Reason::kInvalidValue,
                     absl::StrCat("the pattern has ", policy.pattern().size(),
                                  " bytes, more than ", kMaxPatternBytes),
                     {{"argument", "pattern"}});
  }
  info.pattern = policy.pattern();
  absl::StatusOr<PolicyTarget> target = ToTarget(policy.apply_to());
  if (!target.ok()) return std::move(target).status();
  info.apply_to = *target;
  info.priority = policy.priority();
  absl::StatusOr<Table> definition = ToTable(policy.definition());
  if (!definition.ok()) return std::move(definition).status();
  info.definition = *std::move(definition);
  return info;
}

v1::Policy FromPolicy(const PolicyInfo& info) {
  v1::Policy policy;
  policy.set_vhost(info.vhost);
  policy.set_name(info.name);
  policy.set_pattern(info.pattern);
  policy.set_apply_to(static_cast<v1::PolicyTarget>(info.apply_to));
  policy.set_priority(info.priority);
  FromTable(info.definition, policy.mutable_definition());
  return policy;
}

}  // namespace

void AdminService::PutPolicy(const CallContext& context,
                             v1::PutPolicyRequest request,
                             Reply<v1::PutPolicyResponse> reply) {
  absl::Status vhost = CheckName("vhost", request.policy().vhost());
  if (!vhost.ok()) return reply(std::move(vhost));
  absl::StatusOr<PolicyInfo> policy = ToPolicy(request.policy());
  if (!policy.ok()) return reply(std::move(policy).status());
  policy->vhost = VhostOrDefault(std::move(policy->vhost));
  engine_->PutPolicy(
      *std::move(policy),
      [reply = std::move(reply)](absl::StatusOr<bool> created) mutable {
        if (!created.ok()) return reply(std::move(created).status());
        v1::PutPolicyResponse response;
        response.set_created(*created);
        reply(std::move(response));
      });
}

void AdminService::DeletePolicy(const CallContext& context,
                                v1::DeletePolicyRequest request,
                                Reply<v1::DeletePolicyResponse> reply) {
  for (const std::string* name : {&request.vhost(), &request.name()}) {
    absl::Status valid = CheckName("policy", *name);
    if (!valid.ok()) return reply(std::move(valid));
  }
  engine_->DeletePolicy(
      VhostOrDefault(request.vhost()), request.name(),
      [reply = std::move(reply)](absl::StatusOr<bool> deleted) mutable {
        if (!deleted.ok()) return reply(std::move(deleted).status());
        v1::DeletePolicyResponse response;
        response.set_deleted(*deleted);
        reply(std::move(response));
      });
}

void AdminService::ListPolicies(const CallContext& context,
                                v1::ListPoliciesRequest request,
                                Reply<v1::ListPoliciesResponse> reply) {
  absl::Status name = CheckName("vhost", request.vhost());
  if (!name.ok()) return reply(std::move(name));
  const PageScope scope("ListPolicies", {request.vhost()});
  auto page = scope.Read(request.page_size(), request.page_token());
  if (!page.ok()) return reply(std::move(page).status());
  ListParams params;
  params.vhost = request.vhost();
  params.after = std::move(page->after);
  params.limit = page->limit;
  engine_->ListPolicies(
      std::move(params),
      [scope, reply = std::move(reply)](
          absl::StatusOr<Page<PolicyInfo>> policies) mutable {
        if (!policies.ok()) return reply(std::move(policies).status());
        v1::ListPoliciesResponse response;
        for (const PolicyInfo& policy : policies->items) {
          *response.add_policies() = FromPolicy(policy);
        }
        response.set_next_page_token(scope.NextToken(policies->next));
        reply(std::move(response));
      });
}

}  // namespace kelpmq::service
