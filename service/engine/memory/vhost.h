#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_VHOST_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_VHOST_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/mutex.h"
#include "service/base/strand.h"
#include "service/base/timer_queue.h"
#include "service/engine/engine.h"
#include "service/engine/memory/delayed_messages.h"
#include "service/engine/memory/policies.h"
#include "service/engine/memory/publish.h"
#include "service/exchange/router.h"
#include "service/queue/queue.h"

namespace kelpmq::service {

// VHOST_NOT_FOUND (530).
absl::Status NoSuchVhost(absl::string_view name);

// One virtual host: its exchanges and bindings (a Router) and its queues by
// name. Takes the params of Engine's calls, with Engine's effects and errors;
// their vhost field has been used already. What needs no queue's answer
// returns it at once.
//
// A queue leaves the tables when it says that it has closed, whoever closed it.
//
// Thread-safety: thread-safe. One lock guards the tables; no queue, sink or
// completion is called under it, and publishing does not take it.
class Vhost : public std::enable_shared_from_this<Vhost> {
 public:
  // Told of each exclusive queue that closes, on the queue's strand and under
  // no lock; any number of calls at a time.
  using OnExclusiveQueueClosed =
      std::function<void(OwnerId, const std::string& queue, CancelReason)>;

  // What is passed in outlives the vhost and its queues.
  static std::shared_ptr<Vhost> Create(
      std::string name, const Clock* clock, TimerQueue* timers,
      Executor* executor, OnExclusiveQueueClosed on_exclusive_queue_closed);

  // Use Create.
  Vhost(std::string name, const Clock* clock, TimerQueue* timers,
        Executor* executor, OnExclusiveQueueClosed on_exclusive_queue_closed);
  Vhost(const Vhost&) = delete;
  Vhost& operator=(const Vhost&) = delete;

  // ---- Messages ----
  void Publish(std::vector<PublishItem> items, Done<PublishResult> done);
  void Get(GetParams params, Done<GetResult> done);
  void EndGetWait(const EndGetWaitParams& params);
  void Consume(ConsumeParams params, Done<ConsumerRef> done);

  // ---- Topology ----
  absl::StatusOr<DeclareExchangeResult> DeclareExchange(
      const DeclareExchangeParams& params);
  absl::StatusOr<bool> DeleteExchange(const DeleteExchangeParams& params);
  absl::StatusOr<DeclareQueueResult> DeclareQueue(DeclareQueueParams params);
  void DeleteQueue(const DeleteQueueParams& params,
                   Done<DeleteQueueResult> done);
  void PurgeQueue(const PurgeQueueParams& params, Done<uint64_t> done);
  void Bind(const BindParams& params, Done<bool> done);
  absl::StatusOr<bool> Unbind(const BindParams& params);

  absl::StatusOr<ExchangeInfo> GetExchange(const std::string& name) const;
  absl::StatusOr<QueueInfo> GetQueue(const std::string& name) const;
  bool HasQueue(const std::string& name) const { return FindQueue(name).ok(); }
  absl::StatusOr<Page<ExchangeInfo>> ListExchanges(
      const ListParams& params) const;
  absl::StatusOr<Page<QueueInfo>> ListQueues(const ListParams& params) const;
  absl::StatusOr<Page<BindingSpec>> ListBindings(
      const ListParams& params) const;
  void ListConsumers(ListParams params, Done<Page<ConsumerInfo>> done) const;

  // What a vhost can be told to do otherwise.
  struct Settings {
    std::string default_queue_type;      // empty: classic (QDECL-04)
    std::optional<uint64_t> max_queues;  // unset: no limit (VHOST-05)
  };
  void Configure(Settings settings);

  // ---- Policies ----
  void PutPolicy(PolicyInfo policy, Done<bool> done);
  void DeletePolicy(std::string name, Done<bool> done);
  std::vector<PolicyInfo> ListPolicies() const;

  void EndOwner(OwnerId owner, Done<EndOwnerResult> done);

  // Deletes all queues and refuses declarations from now on; `done` runs when
  // the last queue has closed.
  void Close(absl::AnyInvocable<void()> done);
  // The engine is going: see Queue::Abandon.
  void Abandon();

 private:
  struct FoundQueue {
    std::shared_ptr<Queue> queue;
    bool created = false;
  };

  // QUEUE_NOT_FOUND
  absl::StatusOr<std::shared_ptr<Queue>> FindQueue(
      const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);
  // The same for `owner` to use: RESOURCE_LOCKED as well.
  absl::StatusOr<std::shared_ptr<Queue>> FindQueueFor(const std::string& name,
                                                      OwnerId owner) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // The queue that `spec` declares, old or new.
  // `server_name`: what a queue without a name is called; empty: made here.
  absl::StatusOr<FoundQueue> FindOrCreateQueue(QueueSpec spec,
                                               std::string server_name,
                                               OwnerId owner)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Enters a new queue that has the arguments which policies of this version
  // give it; false if the name has been taken or policies have changed
  // meanwhile. LIMIT_EXCEEDED (VHOST-05).
  absl::StatusOr<bool> AddQueue(std::shared_ptr<Queue> queue,
                                uint64_t policies_version)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Gives a new queue, which is not entered yet, its arguments; the version of
  // the policies that made them.
  uint64_t ApplyPolicyTo(Queue* queue) const ABSL_LOCKS_EXCLUDED(mu_);
  // Gives a queue that does not say which type it is that of the vhost.
  void AddDefaultType(QueueSpec* spec) const ABSL_LOCKS_EXCLUDED(mu_);

  // Changes the policies and sees to it that they hold.
  void ChangePolicies(
      absl::AnyInvocable<absl::StatusOr<bool>(Policies*)> change,
      Done<bool> done) ABSL_LOCKS_EXCLUDED(mu_);
  // A queue and what holds for it under the present policies.
  struct Affected {
    std::shared_ptr<Queue> queue;
    QueueArguments effective;
  };
  // Lets the policies hold for all exchanges; what is to be applied to queues.
  std::vector<Affected> ApplyPolicies() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ApplyExchangePolicy(const std::string& exchange)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const PolicyInfo* PolicyOf(const Queue& queue) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  QueueArguments ArgumentsOf(const Queue& queue) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A queue has closed: takes it off the tables. False: it was not on them.
  bool RemoveQueue(const QueueRef& queue) ABSL_LOCKS_EXCLUDED(mu_);
  // RESOURCE_LOCKED if the binding leads to a queue that is exclusive to
  // somebody else, and nothing that is reported first is wrong (BIND-01).
  absl::Status CheckBindingAccess(const BindParams& params) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Refuses declarations from now on. The queues that are there.
  std::vector<std::shared_ptr<Queue>> CloseTables() ABSL_LOCKS_EXCLUDED(mu_);

  // A binding that was made, and what an exchange sends to those bound late
  // (PLUG-05).
  struct NewBinding {
    bool created = false;
    std::optional<HistoryReplay> replay;
    std::shared_ptr<Queue> queue;  // the destination; null: an exchange
    std::string exchange;
  };
  absl::StatusOr<NewBinding> AddBinding(const BindParams& params)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Sends what the binding has missed; `done` runs when it has been taken.
  void SendMissed(const NewBinding& binding, Closure done);

  QueueEnvironment QueueSurroundings();
  PublishPath Path() const { return {router_, name_, *clock_, *delayed_}; }

  // Declares, binds and consumes; what fails undoes what went before.
  void ConsumeTemporary(ConsumeParams params, Done<ConsumerRef> done);

  const std::string name_;
  const Clock* const clock_;
  TimerQueue* const timers_;
  Executor* const executor_;
  const OnExclusiveQueueClosed on_exclusive_queue_closed_;

  // Routing takes no lock; all else of the router needs mu_.
  Router router_;
  std::shared_ptr<DelayedMessages> delayed_;  // set by Create

  Strand policy_strand_;

  mutable Mutex mu_;
  Settings settings_ ABSL_GUARDED_BY(mu_);
  Policies policies_ ABSL_GUARDED_BY(mu_);
  uint64_t policies_version_ ABSL_GUARDED_BY(mu_) = 0;
  // Every queue here is a destination of router_, and the other way round.
  absl::btree_map<std::string, std::shared_ptr<Queue>> queues_
      ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<OwnerId, absl::btree_set<std::string>> exclusive_queues_
      ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_VHOST_H_
