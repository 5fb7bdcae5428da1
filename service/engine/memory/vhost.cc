#include "service/engine/memory/vhost.h"

#include <optional>
#include <variant>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/engine/memory/gather.h"
#include "service/exchange/topology_errors.h"

namespace kelpmq::service {
namespace {

void StartConsumer(std::shared_ptr<Queue> queue, ConsumeParams params,
                   Done<ConsumerRef> done) {
  Queue* const raw = queue.get();
  raw->Consume(std::move(params),
               [queue = std::move(queue),
                done = std::move(done)](absl::StatusOr<ConsumerId> id) mutable {
                 if (!id.ok()) return std::move(done)(id.status());
                 std::move(done)(ConsumerRef{std::move(queue), *id});
               });
}

// Answers with `error` once the queue is gone.
void DeleteAndFail(Queue& queue, absl::Status error, Done<ConsumerRef> done) {
  queue.Delete(/*if_unused=*/false, /*if_empty=*/false,
               [error = std::move(error), done = std::move(done)](
                   absl::StatusOr<std::optional<uint64_t>>) mutable {
                 std::move(done)(std::move(error));
               });
}

}  // namespace

namespace {

absl::Status QueueLimitError(absl::string_view queue, absl::string_view vhost,
                             uint64_t limit) {
  constexpr int kPreconditionFailed = 406;
  return MakeErrorWithAmqpCode(
      Reason::kLimitExceeded, kPreconditionFailed,
      absl::StrCat("cannot declare queue '", queue, "': queue limit in vhost '",
                   vhost, "' (", limit, ") is reached"),
      {{"queue", queue}, {"vhost", vhost}, {"limit", "max_queues"}});
}

}  // namespace

absl::Status NoSuchVhost(absl::string_view name) {
  return MakeError(Reason::kVhostNotFound,
                   absl::StrCat("vhost '", name, "' not found"),
                   {{"vhost", name}});
}

std::shared_ptr<Vhost> Vhost::Create(
    std::string name, const Clock* clock, TimerQueue* timers,
    Executor* executor, OnExclusiveQueueClosed on_exclusive_queue_closed) {
  auto vhost = std::make_shared<Vhost>(std::move(name), clock, timers, executor,
                                       std::move(on_exclusive_queue_closed));
  vhost->delayed_ = DelayedMessages::Create(
      clock, timers, executor,
      [weak = std::weak_ptr<Vhost>(vhost)](std::vector<LateMessage> due) {
        if (std::shared_ptr<Vhost> vhost = weak.lock()) {
          PublishLate(vhost->Path(), std::move(due), [] {});
        }
      });
  return vhost;
}

Vhost::Vhost(std::string name, const Clock* clock, TimerQueue* timers,
             Executor* executor,
             OnExclusiveQueueClosed on_exclusive_queue_closed)
    : name_(std::move(name)),
      clock_(clock),
      timers_(timers),
      executor_(executor),
      on_exclusive_queue_closed_(std::move(on_exclusive_queue_closed)),
      // A seed of this process.
      router_(name_, absl::Hash<std::string>()(name_), clock),
      policy_strand_(executor) {}

// ---- The queue table ----

absl::StatusOr<std::shared_ptr<Queue>> Vhost::FindQueue(
    const std::string& name) const {
  {
    MutexLock lock(&mu_);
    auto it = queues_.find(name);
    if (it != queues_.end()) return it->second;
  }
  return NoQueueError(name, name_);
}

absl::StatusOr<std::shared_ptr<Queue>> Vhost::FindQueueFor(
    const std::string& name, OwnerId owner) const {
  absl::StatusOr<std::shared_ptr<Queue>> queue = FindQueue(name);
  if (!queue.ok()) return queue;
  absl::Status access = (*queue)->CheckAccess(owner);
  if (!access.ok()) return access;
  return queue;
}

absl::StatusOr<bool> Vhost::AddQueue(std::shared_ptr<Queue> queue,
                                     uint64_t policies_version) {
  MutexLock lock(&mu_);
  if (closed_) return NoSuchVhost(name_);
  if (policies_version != policies_version_) return false;
  const std::string& name = queue->name();
  if (settings_.max_queues.has_value() &&
      queues_.size() >= *settings_.max_queues && queues_.count(name) == 0) {
    return QueueLimitError(name, name_, *settings_.max_queues);
  }
  if (!queues_.try_emplace(name, queue).second) return false;
  if (queue->owner() != kNoOwner)
    exclusive_queues_[queue->owner()].insert(name);
  router_.AddQueue(name, std::move(queue));
  return true;
}

bool Vhost::RemoveQueue(const QueueRef& queue) {
  MutexLock lock(&mu_);
  auto it = queues_.find(queue->name());
  // A namesake is another queue; one that lost the race for its name was never
  // entered.
  if (it == queues_.end() || it->second != queue) return false;
  auto owned = exclusive_queues_.find(it->second->owner());
  if (owned != exclusive_queues_.end()) {
    owned->second.erase(queue->name());
    if (owned->second.empty()) exclusive_queues_.erase(owned);
  }
  queues_.erase(it);
  router_.RemoveQueue(queue->name());
  return true;
}

void Vhost::Configure(Settings settings) {
  MutexLock lock(&mu_);
  settings_ = std::move(settings);
}

// ---- Messages ----

void Vhost::Publish(std::vector<PublishItem> items, Done<PublishResult> done) {
  PublishBatch(Path(), std::move(items), std::move(done));
}

void Vhost::Get(GetParams params, Done<GetResult> done) {
  absl::StatusOr<std::shared_ptr<Queue>> queue =
      FindQueueFor(params.queue, params.owner);
  if (!queue.ok()) return std::move(done)(queue.status());
  (*queue)->Get(std::move(params), std::move(done));
}

void Vhost::EndGetWait(const EndGetWaitParams& params) {
  absl::StatusOr<std::shared_ptr<Queue>> queue = FindQueue(params.queue);
  // A queue that is gone has ended its waits itself.
  if (queue.ok()) (*queue)->EndGetWait(params.wait_id);
}

void Vhost::Consume(ConsumeParams params, Done<ConsumerRef> done) {
  if (params.temporary_queue) {
    return ConsumeTemporary(std::move(params), std::move(done));
  }
  absl::StatusOr<std::shared_ptr<Queue>> queue =
      FindQueueFor(params.queue, params.owner);
  if (!queue.ok()) return std::move(done)(queue.status());
  StartConsumer(*std::move(queue), std::move(params), std::move(done));
}

void Vhost::ConsumeTemporary(ConsumeParams params, Done<ConsumerRef> done) {
  QueueSpec spec;
  spec.exclusive = true;
  spec.auto_delete = true;
  spec.arguments = std::move(params.queue_arguments);
  absl::StatusOr<FoundQueue> made = FindOrCreateQueue(
      std::move(spec), std::move(params.server_name), params.owner);
  if (!made.ok()) return std::move(done)(made.status());
  std::shared_ptr<Queue> queue = std::move(made->queue);
  for (TemporaryBinding& binding : params.bindings) {
    BindParams bind;
    bind.owner = params.owner;
    bind.binding.source = std::move(binding.exchange);
    bind.binding.destination = queue->name();
    bind.binding.routing_key = std::move(binding.routing_key);
    bind.binding.arguments = std::move(binding.arguments);
    absl::StatusOr<NewBinding> bound = AddBinding(bind);
    if (!bound.ok()) {
      return DeleteAndFail(*queue, bound.status(), std::move(done));
    }
    // Comes before the consumer, on the strand of the queue.
    SendMissed(*bound, [] {});
  }
  params.queue = queue->name();
  Done<ConsumerRef> undo_on_error =
      [queue,
       done = std::move(done)](absl::StatusOr<ConsumerRef> consumer) mutable {
        if (consumer.ok()) return std::move(done)(std::move(consumer));
        DeleteAndFail(*queue, consumer.status(), std::move(done));
      };
  StartConsumer(std::move(queue), std::move(params), std::move(undo_on_error));
}

// ---- Lifetime ----

void Vhost::EndOwner(OwnerId owner, Done<EndOwnerResult> done) {
  std::vector<std::shared_ptr<Queue>> queues;
  {
    MutexLock lock(&mu_);
    auto owned = exclusive_queues_.find(owner);
    if (owned != exclusive_queues_.end()) {
      for (const std::string& name : owned->second) {
        queues.push_back(queues_.find(name)->second);
      }
    }
  }
  // The names of those that had not gone by themselves.
  auto gather = Gather<std::string>::Create(
      queues.size(),
      [done = std::move(done)](std::vector<std::string> names) mutable {
        EndOwnerResult result;
        for (std::string& name : names) {
          if (!name.empty()) result.deleted_queues.push_back(std::move(name));
        }
        std::move(done)(std::move(result));
      });
  for (size_t i = 0; i < queues.size(); ++i) {
    queues[i]->Delete(
        /*if_unused=*/false, /*if_empty=*/false,
        [gather, i, name = queues[i]->name()](
            absl::StatusOr<std::optional<uint64_t>> count) mutable {
          const bool deleted = count.ok() && count->has_value();
          gather->Put(i, deleted ? std::move(name) : "");
        });
  }
}

std::vector<std::shared_ptr<Queue>> Vhost::CloseTables() {
  MutexLock lock(&mu_);
  closed_ = true;
  std::vector<std::shared_ptr<Queue>> queues;
  queues.reserve(queues_.size());
  for (const auto& [name, queue] : queues_) queues.push_back(queue);
  return queues;
}

void Vhost::Abandon() {
  for (const std::shared_ptr<Queue>& queue : CloseTables()) queue->Abandon();
  delayed_->Close();
}

void Vhost::Close(absl::AnyInvocable<void()> done) {
  std::vector<std::shared_ptr<Queue>> queues = CloseTables();
  delayed_->Close();
  auto gather = Gather<std::monostate>::Create(
      queues.size(),
      // The tables are there until the last queue has left them.
      [self = shared_from_this(), done = std::move(done)](
          std::vector<std::monostate>) mutable { std::move(done)(); });
  for (size_t i = 0; i < queues.size(); ++i) {
    queues[i]->Delete(/*if_unused=*/false, /*if_empty=*/false,
                      [gather, i](absl::StatusOr<std::optional<uint64_t>>) {
                        gather->Put(i, {});
                      });
  }
}

}  // namespace kelpmq::service
