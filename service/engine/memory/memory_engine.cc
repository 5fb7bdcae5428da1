#include "service/engine/memory/memory_engine.h"

#include <numeric>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/utf8.h"
#include "service/engine/memory/gather.h"
#include "service/engine/memory/page.h"
#include "service/queue/queue.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kDefaultVhost = "/";

// Every handle this engine gives out is a Queue.
Queue& AsQueue(const QueueRef& queue) { return static_cast<Queue&>(*queue); }

absl::Status CheckVhostName(const std::string& name) {
  if (!name.empty() && name.size() <= kMaxNameBytes && IsValidUtf8(name)) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kInvalidName,
      absl::StrCat("a vhost name has 1 to ", kMaxNameBytes, " bytes of UTF-8"));
}

}  // namespace

MemoryEngine::MemoryEngine(const Clock* clock, TimerQueue* timers,
                           Executor* executor)
    : clock_(clock), timers_(timers), executor_(executor) {
  VhostEntry& entry = vhosts_[std::string(kDefaultVhost)];
  entry.info.name = std::string(kDefaultVhost);
  entry.vhost = MakeVhost(entry.info.name);
}

std::shared_ptr<Vhost> MemoryEngine::MakeVhost(const std::string& name) {
  return Vhost::Create(
      name, clock_, timers_, executor_,
      [this](OwnerId owner, const std::string& queue, CancelReason reason) {
        std::shared_ptr<OwnerListener> listener;
        {
          MutexLock lock(&mu_);
          listener = owner_listener_.lock();
        }
        if (listener == nullptr) return;
        listener->ExclusiveQueueClosed(owner, queue, reason);
      });
}

MemoryEngine::~MemoryEngine() {
  absl::btree_map<std::string, VhostEntry> vhosts;
  {
    MutexLock lock(&mu_);
    vhosts.swap(vhosts_);
  }
  for (auto& [name, entry] : vhosts) entry.vhost->Abandon();
}

std::shared_ptr<Vhost> MemoryEngine::Find(absl::string_view name) const {
  MutexLock lock(&mu_);
  auto it = vhosts_.find(name);
  return it == vhosts_.end() ? nullptr : it->second.vhost;
}

// ---- Messages ----

void MemoryEngine::Publish(PublishParams params, Done<PublishResult> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  vhost->Publish(std::move(params.items), std::move(done));
}

void MemoryEngine::WhenRelieved(const QueueRef& queue,
                                absl::AnyInvocable<void()> done) {
  AsQueue(queue).WhenRelieved(std::move(done));
}

void MemoryEngine::Get(GetParams params, Done<GetResult> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  vhost->Get(std::move(params), std::move(done));
}

void MemoryEngine::EndGetWait(EndGetWaitParams params) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  // A deleted vhost has ended the waits of its queues.
  if (vhost != nullptr) vhost->EndGetWait(params);
}

void MemoryEngine::Consume(ConsumeParams params, Done<ConsumerRef> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  vhost->Consume(std::move(params), std::move(done));
}

void MemoryEngine::CancelConsumer(ConsumerRef consumer, DoneStatus done) {
  AsQueue(consumer.queue).CancelConsumer(consumer.consumer_id, std::move(done));
}

void MemoryEngine::UpdateConsumer(UpdateConsumerParams params,
                                  DoneStatus done) {
  Queue& queue = AsQueue(params.consumer.queue);
  queue.UpdateConsumer(std::move(params), std::move(done));
}

void MemoryEngine::GrantCredit(GrantCreditParams params, DoneStatus done) {
  Queue& queue = AsQueue(params.consumer.queue);
  queue.GrantCredit(std::move(params), std::move(done));
}

void MemoryEngine::Resume(std::vector<ConsumerRef> consumers) {
  // A stream mostly has one consumer, or several of one queue in a row.
  for (size_t i = 0; i < consumers.size();) {
    const QueueRef& queue = consumers[i].queue;
    std::vector<ConsumerId> ids;
    size_t end = i;
    for (; end < consumers.size() && consumers[end].queue == queue; ++end) {
      ids.push_back(consumers[end].consumer_id);
    }
    AsQueue(queue).Resume(std::move(ids));
    i = end;
  }
}

void MemoryEngine::Settle(SettleParams params, Done<SettleResult> done) {
  if (params.deliveries.size() == 1) {  // nearly always: nothing to gather
    QueueRef queue = std::move(params.deliveries.front().queue);
    Queue& to = AsQueue(queue);
    to.Settle(params.action, std::move(params.deliveries.front().delivery_ids),
              [queue = std::move(queue),
               done = std::move(done)](std::vector<uint64_t> lost) mutable {
                SettleResult result;
                if (!lost.empty()) {
                  result.lost.push_back({std::move(queue), std::move(lost)});
                }
                std::move(done)(std::move(result));
              });
    return;
  }
  std::vector<QueueRef> queues;
  queues.reserve(params.deliveries.size());
  for (QueueDeliveries& part : params.deliveries) queues.push_back(part.queue);
  auto gather = Gather<std::vector<uint64_t>>::Create(
      queues.size(), [queues, done = std::move(done)](
                         std::vector<std::vector<uint64_t>> lost) mutable {
        SettleResult result;
        for (size_t i = 0; i < lost.size(); ++i) {
          if (lost[i].empty()) continue;
          result.lost.push_back({std::move(queues[i]), std::move(lost[i])});
        }
        std::move(done)(std::move(result));
      });
  for (size_t i = 0; i < queues.size(); ++i) {
    AsQueue(queues[i]).Settle(params.action,
                              std::move(params.deliveries[i].delivery_ids),
                              [gather, i](std::vector<uint64_t> lost) {
                                gather->Put(i, std::move(lost));
                              });
  }
}

void MemoryEngine::Release(ReleaseParams params, Done<uint64_t> done) {
  if (params.queues.size() < 2) {
    Requeue(params, std::move(done));
    return;
  }
  // In two steps: what dies while the first queue takes messages back may go to
  // the second, and must not find the sink's consumer there.
  const SinkRef sink = params.sink;
  const std::vector<QueueRef> queues = params.queues;
  auto gather = Gather<std::monostate>::Create(
      queues.size(), [params = std::move(params), done = std::move(done)](
                         std::vector<std::monostate>) mutable {
        Requeue(params, std::move(done));
      });
  for (size_t i = 0; i < queues.size(); ++i) {
    AsQueue(queues[i]).RemoveReceivers(
        sink, [gather, i] { gather->Put(i, std::monostate()); });
  }
}

void MemoryEngine::Requeue(const ReleaseParams& params, Done<uint64_t> done) {
  auto gather = Gather<uint64_t>::Create(
      params.queues.size(),
      [done = std::move(done)](std::vector<uint64_t> counts) mutable {
        std::move(done)(
            std::accumulate(counts.begin(), counts.end(), uint64_t{0}));
      });
  for (size_t i = 0; i < params.queues.size(); ++i) {
    AsQueue(params.queues[i]).Release(params.sink, [gather, i](uint64_t count) {
      gather->Put(i, count);
    });
  }
}

// ---- Topology ----

void MemoryEngine::DeclareExchange(DeclareExchangeParams params,
                                   Done<DeclareExchangeResult> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  std::move(done)(vhost->DeclareExchange(params));
}

void MemoryEngine::DeleteExchange(DeleteExchangeParams params,
                                  Done<bool> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  std::move(done)(vhost->DeleteExchange(params));
}

void MemoryEngine::DeclareQueue(DeclareQueueParams params,
                                Done<DeclareQueueResult> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  std::move(done)(vhost->DeclareQueue(std::move(params)));
}

void MemoryEngine::DeleteQueue(DeleteQueueParams params,
                               Done<DeleteQueueResult> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  vhost->DeleteQueue(params, std::move(done));
}

void MemoryEngine::PurgeQueue(PurgeQueueParams params, Done<uint64_t> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  vhost->PurgeQueue(params, std::move(done));
}

void MemoryEngine::Bind(BindParams params, Done<bool> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  vhost->Bind(params, std::move(done));
}

void MemoryEngine::Unbind(BindParams params, Done<bool> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  std::move(done)(vhost->Unbind(params));
}

void MemoryEngine::GetExchange(GetExchangeParams params,
                               Done<ExchangeInfo> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  std::move(done)(vhost->GetExchange(params.name));
}

void MemoryEngine::GetQueue(GetQueueParams params, Done<QueueInfo> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  std::move(done)(vhost->GetQueue(params.name));
}

void MemoryEngine::ListExchanges(ListParams params,
                                 Done<Page<ExchangeInfo>> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  std::move(done)(vhost->ListExchanges(params));
}

void MemoryEngine::ListQueues(ListParams params, Done<Page<QueueInfo>> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  std::move(done)(vhost->ListQueues(params));
}

void MemoryEngine::ListBindings(ListParams params,
                                Done<Page<BindingSpec>> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  std::move(done)(vhost->ListBindings(params));
}

void MemoryEngine::ListConsumers(ListParams params,
                                 Done<Page<ConsumerInfo>> done) {
  std::shared_ptr<Vhost> vhost = Find(params.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(params.vhost));
  vhost->ListConsumers(std::move(params), std::move(done));
}

// ---- Vhosts and owners ----

void MemoryEngine::PutVhost(VhostInfo vhost, Done<bool> done) {
  absl::Status status = CheckVhostName(vhost.name);
  if (!status.ok()) return std::move(done)(std::move(status));
  // Made in vain if it is there: a lock must not be held while making it.
  std::shared_ptr<Vhost> made = MakeVhost(vhost.name);
  bool created;
  std::shared_ptr<Vhost> target;
  Vhost::Settings settings;
  {
    MutexLock lock(&mu_);
    VhostEntry& entry = vhosts_[vhost.name];
    created = entry.vhost == nullptr;
    if (created) entry.vhost = std::move(made);
    entry.info = std::move(vhost);
    target = entry.vhost;
    settings = {entry.info.default_queue_type, entry.info.max_queues};
  }
  target->Configure(std::move(settings));
  std::move(done)(created);
}

void MemoryEngine::DeleteVhost(std::string name, Done<bool> done) {
  std::shared_ptr<Vhost> vhost;
  {
    MutexLock lock(&mu_);
    auto it = vhosts_.find(name);
    if (it != vhosts_.end()) {
      vhost = std::move(it->second.vhost);
      vhosts_.erase(it);
    }
  }
  if (vhost == nullptr) return std::move(done)(false);
  vhost->Close([done = std::move(done)]() mutable { std::move(done)(true); });
}

void MemoryEngine::ListVhosts(ListParams params, Done<Page<VhostInfo>> done) {
  absl::StatusOr<std::optional<std::string>> after =
      ParseNameToken(params.after);
  if (!after.ok()) return std::move(done)(after.status());
  std::vector<VhostInfo> items;
  {
    MutexLock lock(&mu_);
    auto it = *after ? vhosts_.upper_bound(**after) : vhosts_.begin();
    for (; it != vhosts_.end() && items.size() <= PageLimit(params); ++it) {
      items.push_back(it->second.info);
    }
  }
  std::move(done)(CutPage(std::move(items), params,
                          [](const VhostInfo& item) { return item.name; }));
}

absl::Status MemoryEngine::CheckVhost(absl::string_view name) const {
  return Find(name) == nullptr ? NoSuchVhost(name) : absl::OkStatus();
}

absl::StatusOr<VhostInfo> MemoryEngine::FindVhost(
    absl::string_view name) const {
  MutexLock lock(&mu_);
  auto it = vhosts_.find(name);
  if (it == vhosts_.end()) return NoSuchVhost(name);
  return it->second.info;
}

absl::StatusOr<std::string> MemoryEngine::FindExchangeType(
    absl::string_view vhost_name, absl::string_view name) const {
  const std::shared_ptr<Vhost> vhost = Find(vhost_name);
  if (vhost == nullptr) return NoSuchVhost(vhost_name);
  absl::StatusOr<ExchangeInfo> exchange = vhost->GetExchange(std::string(name));
  if (!exchange.ok()) return exchange.status();
  return std::move(exchange->spec.type);
}

bool MemoryEngine::HasQueue(absl::string_view vhost_name,
                            absl::string_view name) const {
  const std::shared_ptr<Vhost> vhost = Find(vhost_name);
  return vhost != nullptr && vhost->HasQueue(std::string(name));
}

// ---- Policies ----

void MemoryEngine::PutPolicy(PolicyInfo policy, Done<bool> done) {
  std::shared_ptr<Vhost> vhost = Find(policy.vhost);
  if (vhost == nullptr) return std::move(done)(NoSuchVhost(policy.vhost));
  vhost->PutPolicy(std::move(policy), std::move(done));
}

void MemoryEngine::DeletePolicy(std::string vhost, std::string name,
                                Done<bool> done) {
  std::shared_ptr<Vhost> found = Find(vhost);
  if (found == nullptr) return std::move(done)(NoSuchVhost(vhost));
  found->DeletePolicy(std::move(name), std::move(done));
}

void MemoryEngine::ListPolicies(ListParams params,
                                Done<Page<PolicyInfo>> done) {
  std::vector<std::shared_ptr<Vhost>> vhosts;
  {
    MutexLock lock(&mu_);
    for (const auto& [name, entry] : vhosts_) {
      if (params.vhost.empty() || name == params.vhost) {
        vhosts.push_back(entry.vhost);
      }
    }
  }
  std::vector<PolicyInfo> policies;
  for (const std::shared_ptr<Vhost>& vhost : vhosts) {
    for (PolicyInfo& policy : vhost->ListPolicies()) {
      policies.push_back(std::move(policy));
    }
  }
  std::move(done)(PageOfPolicies(std::move(policies), params));
}

void MemoryEngine::SetOwnerListener(std::weak_ptr<OwnerListener> listener) {
  MutexLock lock(&mu_);
  owner_listener_ = std::move(listener);
}

void MemoryEngine::EndOwner(std::string vhost, OwnerId owner,
                            Done<EndOwnerResult> done) {
  std::shared_ptr<Vhost> found = Find(vhost);
  if (found == nullptr) return std::move(done)(NoSuchVhost(vhost));
  found->EndOwner(owner, std::move(done));
}

}  // namespace kelpmq::service
