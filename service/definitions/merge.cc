#include "service/definitions/merge.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/definitions/await.h"

namespace kelpmq::service {
namespace {

bool SameSettings(const VhostInfo& a, const VhostInfo& b) {
  return a.description == b.description && a.tags == b.tags &&
         a.default_queue_type == b.default_queue_type &&
         a.max_queues == b.max_queues && a.max_connections == b.max_connections;
}

bool SamePolicy(const PolicyInfo& a, const PolicyInfo& b) {
  return a.pattern == b.pattern && a.apply_to == b.apply_to &&
         a.priority == b.priority && a.definition == b.definition;
}

// One merge: what it works with, and a step for each kind of thing.
class Merger {
 public:
  Merger(MergeMode mode, Engine* engine, UserStore* users, ImportResult* result)
      : mode_(mode), engine_(engine), users_(users), result_(result) {}

  absl::Status Vhost(VhostInfo wanted) {
    const absl::StatusOr<VhostInfo> present = engine_->FindVhost(wanted.name);
    if (present.ok()) {
      // A document without limits says nothing of them.
      if (!wanted.max_queues) wanted.max_queues = present->max_queues;
      if (!wanted.max_connections) {
        wanted.max_connections = present->max_connections;
      }
      if (SameSettings(wanted, *present)) return Unchanged();
    }
    return Make([&] {
      return Await<bool>([&](Done<bool> done) {
               engine_->PutVhost(std::move(wanted), std::move(done));
             })
          .status();
    });
  }

  absl::Status User(const kelpmq::service::User& wanted) {
    const AccountRef present = users_->FindUser(wanted.name);
    if (present != nullptr && !present->unrestricted &&
        present->user.tags == wanted.tags &&
        present->user.password == wanted.password) {
      return Unchanged();
    }
    return Make([&] { return users_->PutUser(wanted).status(); });
  }

  absl::Status Permission(const PermissionSet& wanted) {
    const VhostRulesRef rules = users_->FindRules(wanted.vhost, wanted.user);
    if (rules->permission.has_value() && rules->permission->set == wanted) {
      return Unchanged();
    }
    return Make([&] { return users_->SetPermission(wanted); });
  }

  absl::Status TopicPermission(const TopicPermissionSet& wanted) {
    const VhostRulesRef rules = users_->FindRules(wanted.vhost, wanted.user);
    auto it = rules->topics.find(wanted.exchange);
    if (it != rules->topics.end() && it->second.set == wanted) {
      return Unchanged();
    }
    return Make([&] { return users_->SetTopicPermission(wanted); });
  }

  absl::Status Policy(const PolicyInfo& wanted) {
    ListParams params;
    params.vhost = wanted.vhost;
    // A vhost that is only to be made has none.
    const auto present = ListAll(engine_, &Engine::ListPolicies, params);
    if (present.ok()) {
      for (const PolicyInfo& policy : *present) {
        if (policy.vhost == wanted.vhost && policy.name == wanted.name &&
            SamePolicy(policy, wanted)) {
          return Unchanged();
        }
      }
    }
    return Make([&] {
      return Await<bool>([&](Done<bool> done) {
               engine_->PutPolicy(wanted, std::move(done));
             })
          .status();
    });
  }

  absl::Status Exchange(const InVhost<ExchangeSpec>& wanted) {
    if (wanted.spec.name.empty()) return Unchanged();  // is always there
    const auto declare = [&] {
      return Await<DeclareExchangeResult>(
                 [&](Done<DeclareExchangeResult> done) {
                   engine_->DeclareExchange({wanted.vhost, wanted.spec, false},
                                            std::move(done));
                 })
          .status();
    };
    if (engine_->FindExchangeType(wanted.vhost, wanted.spec.name).ok()) {
      return Present(declare());
    }
    return Make(declare);
  }

  absl::Status Queue(const InVhost<QueueSpec>& wanted) {
    const auto declare = [&] {
      DeclareQueueParams params;
      params.vhost = wanted.vhost;
      params.spec = wanted.spec;
      // What a server has named once keeps its name.
      if (absl::StartsWith(wanted.spec.name, "amq.")) {
        params.server_name = std::exchange(params.spec.name, "");
      }
      return Await<DeclareQueueResult>([&](Done<DeclareQueueResult> done) {
               engine_->DeclareQueue(std::move(params), std::move(done));
             })
          .status();
    };
    if (engine_->HasQueue(wanted.vhost, wanted.spec.name)) {
      return Present(declare());
    }
    return Make(declare);
  }

  absl::Status Binding(const InVhost<BindingSpec>& wanted) {
    if (wanted.spec.source.empty()) return Unchanged();  // every queue's own
    ListParams params;
    params.vhost = wanted.vhost;
    params.source = wanted.spec.source;
    params.destination = wanted.spec.destination;
    params.kind = wanted.spec.kind;
    const auto present = ListAll(engine_, &Engine::ListBindings, params);
    if (present.ok() && std::find(present->begin(), present->end(),
                                  wanted.spec) != present->end()) {
      return Unchanged();
    }
    return Make([&] {
      BindParams bind;
      bind.vhost = wanted.vhost;
      bind.binding = wanted.spec;
      return Await<bool>([&](Done<bool> done) {
               engine_->Bind(std::move(bind), std::move(done));
             })
          .status();
    });
  }

 private:
  absl::Status Unchanged() {
    ++result_->unchanged_count;
    return absl::OkStatus();
  }
  // What was there has been declared again.
  absl::Status Present(const absl::Status& redeclared) {
    if (redeclared.ok()) return Unchanged();
    result_->conflicts.emplace_back(redeclared.message());
    return absl::OkStatus();
  }
  template <typename Act>
  absl::Status Make(Act act) {
    ++result_->created_count;
    return mode_ == MergeMode::kApply ? act() : absl::OkStatus();
  }

  const MergeMode mode_;
  Engine* const engine_;
  UserStore* const users_;
  ImportResult* const result_;
};

// A step for each of `items`; what it finds wrong is told with the place.
template <typename Item, typename Step>
absl::Status ForAll(const std::vector<Item>& items, absl::string_view section,
                    Step step) {
  for (size_t i = 0; i < items.size(); ++i) {
    absl::Status status = step(items[i]);
    if (status.ok()) continue;
    return MakeError(
        Reason::kInvalidValue,
        absl::StrCat("definitions: ", section, "[", i, "]: ", status.message()),
        {{"argument", section}});
  }
  return absl::OkStatus();
}

// In RabbitMQ's order: each thing after what it needs.
absl::Status Run(const Definitions& definitions, Merger* merger) {
  absl::Status status =
      ForAll(definitions.users, "users",
             [&](const User& user) { return merger->User(user); });
  if (!status.ok()) return status;
  status = ForAll(definitions.vhosts, "vhosts",
                  [&](const VhostInfo& vhost) { return merger->Vhost(vhost); });
  if (!status.ok()) return status;
  status =
      ForAll(definitions.permissions, "permissions",
             [&](const PermissionSet& set) { return merger->Permission(set); });
  if (!status.ok()) return status;
  status = ForAll(definitions.topic_permissions, "topic_permissions",
                  [&](const TopicPermissionSet& set) {
                    return merger->TopicPermission(set);
                  });
  if (!status.ok()) return status;
  status =
      ForAll(definitions.policies, "policies",
             [&](const PolicyInfo& policy) { return merger->Policy(policy); });
  if (!status.ok()) return status;
  status = ForAll(definitions.exchanges, "exchanges",
                  [&](const InVhost<ExchangeSpec>& exchange) {
                    return merger->Exchange(exchange);
                  });
  if (!status.ok()) return status;
  status = ForAll(
      definitions.queues, "queues",
      [&](const InVhost<QueueSpec>& queue) { return merger->Queue(queue); });
  if (!status.ok()) return status;
  return ForAll(definitions.bindings, "bindings",
                [&](const InVhost<BindingSpec>& binding) {
                  return merger->Binding(binding);
                });
}

// What a document refers to and does not bring.
class Borrower {
 public:
  Borrower(Engine* from, Engine* to) : from_(from), to_(to) {}

  absl::Status Vhost(const std::string& name) {
    if (to_->CheckVhost(name).ok()) return absl::OkStatus();
    absl::StatusOr<VhostInfo> vhost = from_->FindVhost(name);
    if (!vhost.ok()) return vhost.status();
    return Await<bool>([&](Done<bool> done) {
             to_->PutVhost(*std::move(vhost), std::move(done));
           })
        .status();
  }

  // Failures are left to whatever needs it.
  void Exchange(const std::string& vhost, const std::string& name) {
    if (to_->FindExchangeType(vhost, name).ok()) return;
    absl::StatusOr<ExchangeInfo> exchange =
        Await<ExchangeInfo>([&](Done<ExchangeInfo> done) {
          from_->GetExchange({vhost, name}, std::move(done));
        });
    if (!exchange.ok()) return;
    Await<DeclareExchangeResult>([&](Done<DeclareExchangeResult> done) {
      to_->DeclareExchange({vhost, exchange->spec, false}, std::move(done));
    }).IgnoreError();
  }

  void Queue(const std::string& vhost, const std::string& name) {
    if (to_->HasQueue(vhost, name) || !from_->HasQueue(vhost, name)) return;
    DeclareQueueParams params;
    params.vhost = vhost;
    params.server_name = name;  // of a name that anybody may have
    Await<DeclareQueueResult>([&](Done<DeclareQueueResult> done) {
      to_->DeclareQueue(std::move(params), std::move(done));
    }).IgnoreError();
  }

 private:
  Engine* const from_;
  Engine* const to_;
};

}  // namespace

absl::Status Merge(const Definitions& definitions, MergeMode mode,
                   Engine* engine, UserStore* users, ImportResult* result) {
  Merger merger(mode, engine, users, result);
  return Run(definitions, &merger);
}

absl::Status Validate(Engine* engine, const UserStore& users, Engine* scratch,
                      Definitions* definitions, ImportResult* result) {
  ImportResult ignored;
  UserStore scratch_users(UserStore::Guest::kNo);
  for (const User& user : users.ListUsers("", SIZE_MAX)) {
    scratch_users.PutUser(user).IgnoreError();  // is valid
  }
  Merger merger(MergeMode::kApply, scratch, &scratch_users, &ignored);
  Borrower borrower(engine, scratch);

  Definitions vhosts;  // what brings vhosts
  vhosts.vhosts = definitions->vhosts;
  absl::Status status = Run(vhosts, &merger);
  if (!status.ok()) return status;
  const auto vhost_of = [&borrower](const auto& item) {
    return borrower.Vhost(item.vhost);
  };
  for (absl::Status known :
       {ForAll(definitions->permissions, "permissions", vhost_of),
        ForAll(definitions->topic_permissions, "topic_permissions", vhost_of),
        ForAll(definitions->policies, "policies", vhost_of),
        ForAll(definitions->exchanges, "exchanges", vhost_of),
        ForAll(definitions->queues, "queues", vhost_of),
        ForAll(definitions->bindings, "bindings", vhost_of)}) {
    if (!known.ok()) return known;
  }
  const std::vector<InVhost<BindingSpec>> bindings =
      std::exchange(definitions->bindings, {});
  status = Run(*definitions, &merger);
  if (!status.ok()) return status;
  // Two things of one name in a document that differ.
  if (!ignored.conflicts.empty()) {
    return MakeError(Reason::kInvalidValue,
                     absl::StrCat("definitions: ", ignored.conflicts[0]));
  }
  return ForAll(bindings, "bindings", [&](const InVhost<BindingSpec>& binding) {
    borrower.Exchange(binding.vhost, binding.spec.source);
    if (binding.spec.kind == DestinationKind::kQueue) {
      borrower.Queue(binding.vhost, binding.spec.destination);
    } else {
      borrower.Exchange(binding.vhost, binding.spec.destination);
    }
    absl::Status bound = merger.Binding(binding);
    if (bound.ok()) {
      definitions->bindings.push_back(binding);
    } else if (HasReason(bound, Reason::kExchangeNotFound) ||
               HasReason(bound, Reason::kQueueNotFound)) {
      result->conflicts.push_back(absl::StrCat(
          "a binding from '", binding.spec.source, "' to '",
          binding.spec.destination, "' was left out: ", bound.message()));
      return absl::OkStatus();
    }
    return bound;
  });
}

}  // namespace kelpmq::service
