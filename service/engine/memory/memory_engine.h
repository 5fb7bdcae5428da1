#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_MEMORY_ENGINE_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_MEMORY_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/mutex.h"
#include "service/base/timer_queue.h"
#include "service/engine/engine.h"
#include "service/engine/memory/vhost.h"

namespace kelpmq::service {

// The engine that keeps everything in memory. Finds the vhost and lets it or
// the queue at hand do the rest.
// Thread-safety: thread-safe.
class MemoryEngine : public Engine {
 public:
  // Starts with the vhost "/". What is passed in outlives the engine and every
  // queue handle it gave out.
  MemoryEngine(const Clock* clock, TimerQueue* timers, Executor* executor);
  // Lets go of all messages and sinks without a word to them. No call may be
  // under way.
  ~MemoryEngine() override;

  std::string name() const override { return "memory"; }

  void Publish(PublishParams params, Done<PublishResult> done) override;
  void WhenRelieved(const QueueRef& queue,
                    absl::AnyInvocable<void()> done) override;
  void Get(GetParams params, Done<GetResult> done) override;
  void EndGetWait(EndGetWaitParams params) override;
  void Consume(ConsumeParams params, Done<ConsumerRef> done) override;
  void CancelConsumer(ConsumerRef consumer, DoneStatus done) override;
  void UpdateConsumer(UpdateConsumerParams params, DoneStatus done) override;
  void GrantCredit(GrantCreditParams params, DoneStatus done) override;
  void Resume(std::vector<ConsumerRef> consumers) override;
  void Settle(SettleParams params, Done<SettleResult> done) override;
  void Release(ReleaseParams params, Done<uint64_t> done) override;

  void DeclareExchange(DeclareExchangeParams params,
                       Done<DeclareExchangeResult> done) override;
  void DeleteExchange(DeleteExchangeParams params, Done<bool> done) override;
  void DeclareQueue(DeclareQueueParams params,
                    Done<DeclareQueueResult> done) override;
  void DeleteQueue(DeleteQueueParams params,
                   Done<DeleteQueueResult> done) override;
  void PurgeQueue(PurgeQueueParams params, Done<uint64_t> done) override;
  void Bind(BindParams params, Done<bool> done) override;
  void Unbind(BindParams params, Done<bool> done) override;

  void GetExchange(GetExchangeParams params, Done<ExchangeInfo> done) override;
  void GetQueue(GetQueueParams params, Done<QueueInfo> done) override;
  void ListExchanges(ListParams params, Done<Page<ExchangeInfo>> done) override;
  void ListQueues(ListParams params, Done<Page<QueueInfo>> done) override;
  void ListBindings(ListParams params, Done<Page<BindingSpec>> done) override;
  void ListConsumers(ListParams params, Done<Page<ConsumerInfo>> done) override;

  // A vhost that is there keeps its contents and takes the new description,
  // tags, default queue type and limits. INVALID_NAME: not 1 to 255 bytes of
  // UTF-8.
  void PutVhost(VhostInfo vhost, Done<bool> done) override;
  void DeleteVhost(std::string name, Done<bool> done) override;
  void ListVhosts(ListParams params, Done<Page<VhostInfo>> done) override;
  absl::Status CheckVhost(absl::string_view name) const override;
  absl::StatusOr<VhostInfo> FindVhost(absl::string_view name) const override;
  absl::StatusOr<std::string> FindExchangeType(
      absl::string_view vhost, absl::string_view name) const override;
  bool HasQueue(absl::string_view vhost, absl::string_view name) const override;

  void PutPolicy(PolicyInfo policy, Done<bool> done) override;
  void DeletePolicy(std::string vhost, std::string name,
                    Done<bool> done) override;
  void ListPolicies(ListParams params, Done<Page<PolicyInfo>> done) override;

  void SetOwnerListener(std::weak_ptr<OwnerListener> listener) override;
  void EndOwner(std::string vhost, OwnerId owner,
                Done<EndOwnerResult> done) override;

 private:
  struct VhostEntry {
    VhostInfo info;
    std::shared_ptr<Vhost> vhost;
  };

  // The second half of Release.
  static void Requeue(const ReleaseParams& params, Done<uint64_t> done);
  std::shared_ptr<Vhost> MakeVhost(const std::string& name);
  // Null if there is none.
  std::shared_ptr<Vhost> Find(absl::string_view name) const;

  const Clock* const clock_;
  TimerQueue* const timers_;
  Executor* const executor_;

  mutable Mutex mu_;
  absl::btree_map<std::string, VhostEntry> vhosts_ ABSL_GUARDED_BY(mu_);
  std::weak_ptr<OwnerListener> owner_listener_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_MEMORY_ENGINE_H_
