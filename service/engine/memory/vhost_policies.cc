// Vhost's policies: what holds for its queues and exchanges beside their
// arguments.

#include <utility>
#include <variant>
#include <vector>

#include "service/engine/memory/gather.h"
#include "service/engine/memory/vhost.h"

namespace kelpmq::service {

void Vhost::PutPolicy(PolicyInfo policy, Done<bool> done) {
  ChangePolicies(
      [policy = std::move(policy)](Policies* policies) mutable {
        return policies->Put(std::move(policy));
      },
      std::move(done));
}

void Vhost::DeletePolicy(std::string name, Done<bool> done) {
  ChangePolicies(
      [name = std::move(name)](Policies* policies) -> absl::StatusOr<bool> {
        return policies->Delete(name);
      },
      std::move(done));
}

uint64_t Vhost::ApplyPolicyTo(Queue* queue) const {
  QueueArguments effective;
  uint64_t version;
  {
    MutexLock lock(&mu_);
    version = policies_version_;
    if (PolicyOf(*queue) == nullptr) {
      return version;
    }
    effective = ArgumentsOf(*queue);
  }
  queue->ApplyArguments(std::move(effective), [] {});
  return version;
}

std::vector<PolicyInfo> Vhost::ListPolicies() const {
  MutexLock lock(&mu_);
  return policies_.List();
}

void Vhost::ChangePolicies(
    absl::AnyInvocable<absl::StatusOr<bool>(Policies*)> change,
    Done<bool> done) {
  // One after the other, so that what a queue hears last is what holds.
  policy_strand_.Post(shared_from_this(), [this, change = std::move(change),
                                           done = std::move(done)]() mutable {
    std::vector<Affected> affected;
    absl::StatusOr<bool> changed = false;
    {
      MutexLock lock(&mu_);
      if (closed_) {
        changed = NoSuchVhost(name_);
      } else {
        changed = change(&policies_);
      }
      if (changed.ok()) affected = ApplyPolicies();
    }
    if (!changed.ok()) return std::move(done)(changed.status());
    auto gather = Gather<std::monostate>::Create(
        affected.size(),
        [changed = *changed, done = std::move(done)](
            std::vector<std::monostate>) mutable { std::move(done)(changed); });
    for (size_t i = 0; i < affected.size(); ++i) {
      affected[i].queue->ApplyArguments(std::move(affected[i].effective),
                                        [gather, i] { gather->Put(i, {}); });
    }
  });
}

std::vector<Vhost::Affected> Vhost::ApplyPolicies() {
  ++policies_version_;
  for (const ExchangeSpec& exchange : router_.ListExchanges()) {
    ApplyExchangePolicy(exchange.name);
  }
  std::vector<Affected> affected;
  affected.reserve(queues_.size());
  for (const auto& [name, queue] : queues_) {
    affected.push_back({queue, ArgumentsOf(*queue)});
  }
  return affected;
}

void Vhost::ApplyExchangePolicy(const std::string& exchange) {
  if (exchange.empty()) return;  // the default exchange takes none (POLICY-03)
  router_.SetPolicyAlternate(exchange,
                             AlternateOf(policies_.FindForExchange(exchange)));
}

const PolicyInfo* Vhost::PolicyOf(const Queue& queue) const {
  return policies_.FindForQueue(queue.name(), queue.declared_arguments().type);
}

QueueArguments Vhost::ArgumentsOf(const Queue& queue) const {
  return UnderPolicy(queue.spec(), queue.declared_arguments(), PolicyOf(queue));
}

}  // namespace kelpmq::service
