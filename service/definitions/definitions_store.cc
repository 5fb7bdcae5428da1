#include "service/definitions/definitions_store.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/definitions/await.h"
#include "service/definitions/json_fields.h"
#include "service/definitions/merge.h"

namespace kelpmq::service {
namespace {

// The exchanges that every vhost has, and the queues that go with somebody.
bool IsOwn(const ExchangeSpec& exchange) {
  return exchange.name.empty() || absl::StartsWith(exchange.name, "amq.");
}

absl::Status AddVhost(Engine* engine, const std::string& vhost,
                      Definitions* definitions) {
  ListParams params;
  params.vhost = vhost;
  auto policies = ListAll(engine, &Engine::ListPolicies, params);
  if (!policies.ok()) return policies.status();
  for (PolicyInfo& policy : *policies) {
    definitions->policies.push_back(std::move(policy));
  }
  auto exchanges = ListAll(engine, &Engine::ListExchanges, params);
  if (!exchanges.ok()) return exchanges.status();
  for (ExchangeInfo& exchange : *exchanges) {
    if (IsOwn(exchange.spec)) continue;
    definitions->exchanges.push_back({vhost, std::move(exchange.spec)});
  }
  auto queues = ListAll(engine, &Engine::ListQueues, params);
  if (!queues.ok()) return queues.status();
  std::vector<std::string> exclusive;
  for (QueueInfo& queue : *queues) {
    if (queue.owner != kNoOwner || queue.spec.exclusive) {
      exclusive.push_back(queue.spec.name);
    } else {
      definitions->queues.push_back({vhost, std::move(queue.spec)});
    }
  }
  auto bindings = ListAll(engine, &Engine::ListBindings, params);
  if (!bindings.ok()) return bindings.status();
  for (BindingSpec& binding : *bindings) {
    const bool to_exclusive = binding.kind == DestinationKind::kQueue &&
                              std::find(exclusive.begin(), exclusive.end(),
                                        binding.destination) != exclusive.end();
    if (binding.source.empty() || to_exclusive) continue;
    definitions->bindings.push_back({vhost, std::move(binding)});
  }
  return absl::OkStatus();
}

}  // namespace

void DefinitionsStore::Keep(const nlohmann::ordered_json& sections) {
  MutexLock lock(&mu_);
  for (const auto& [key, section] : sections.items()) kept_[key] = section;
}

absl::StatusOr<ImportResult> DefinitionsStore::Import(
    absl::string_view json, const std::optional<std::string>& vhost,
    bool validate_only) {
  if (vhost.has_value()) {
    if (absl::Status known = engine_->CheckVhost(*vhost); !known.ok()) {
      return known;
    }
  }
  absl::StatusOr<Definitions> definitions = ParseDefinitions(json, vhost);
  if (!definitions.ok()) return definitions.status();
  if (!definitions->tokens.empty()) {
    return DefinitionsError("tokens", "belong into a users file");
  }
  const std::unique_ptr<Engine> scratch = make_scratch_();
  ImportResult result;
  absl::Status valid =
      Validate(engine_, *users_, scratch.get(), &*definitions, &result);
  if (!valid.ok()) return valid;
  for (const auto& [key, section] : definitions->kept.items()) {
    result.ignored_sections.push_back(key);
  }
  absl::Status merged =
      Merge(*definitions, validate_only ? MergeMode::kCount : MergeMode::kApply,
            engine_, users_, &result);
  if (!merged.ok()) return merged;
  if (!validate_only) Keep(definitions->kept);
  return result;
}

absl::StatusOr<std::string> DefinitionsStore::Export(
    const std::optional<std::string>& vhost) {
  Definitions definitions;
  if (vhost.has_value()) {
    absl::StatusOr<VhostInfo> found = engine_->FindVhost(*vhost);
    if (!found.ok()) return found.status();
    definitions.vhosts.push_back(*std::move(found));
  } else {
    auto vhosts = ListAll(engine_, &Engine::ListVhosts, ListParams());
    if (!vhosts.ok()) return vhosts.status();
    definitions.vhosts = *std::move(vhosts);
    for (User& user : users_->ListUsers("", SIZE_MAX)) {
      // The one that came with the server has no password to write down.
      const AccountRef account = users_->FindUser(user.name);
      if (account == nullptr || account->unrestricted) continue;
      definitions.users.push_back(std::move(user));
    }
    definitions.permissions = users_->ListPermissions("", "", {}, SIZE_MAX);
    definitions.topic_permissions =
        users_->ListTopicPermissions("", "", {}, SIZE_MAX);
    MutexLock lock(&mu_);
    definitions.kept = kept_;
  }
  for (const VhostInfo& info : definitions.vhosts) {
    absl::Status added = AddVhost(engine_, info.name, &definitions);
    // Deleted since it was listed.
    if (HasReason(added, Reason::kVhostNotFound)) continue;
    if (!added.ok()) return added;
  }
  return WriteDefinitions(definitions, /*one_vhost=*/vhost.has_value());
}

absl::Status ReadUsersFile(absl::string_view json, UserStore* users) {
  absl::StatusOr<Definitions> parsed = ParseDefinitions(json, std::nullopt);
  if (!parsed.ok()) return parsed.status();
  const Definitions& file = *parsed;
  if (!file.vhosts.empty() || !file.policies.empty() ||
      !file.exchanges.empty() || !file.queues.empty() ||
      !file.bindings.empty() || !file.kept.empty()) {
    return DefinitionsError("the document",
                            "of users has only users, tokens, permissions and "
                            "topic_permissions; give others by --definitions");
  }
  if (file.users.empty()) return DefinitionsError("users", "must be there");
  for (const User& user : file.users) {
    absl::Status put = users->PutUser(user).status();
    if (!put.ok()) return put;
  }
  for (const PermissionSet& permission : file.permissions) {
    absl::Status set = users->SetPermission(permission);
    if (!set.ok()) return set;
  }
  for (const TopicPermissionSet& permission : file.topic_permissions) {
    absl::Status set = users->SetTopicPermission(permission);
    if (!set.ok()) return set;
  }
  for (const Token& token : file.tokens) {
    absl::Status added = users->AddToken(token);
    if (!added.ok()) return added;
  }
  return absl::OkStatus();
}

}  // namespace kelpmq::service
