#ifndef KELPMQ_TESTS_UNIT_RPC_STREAM_FIXTURE_H_
#define KELPMQ_TESTS_UNIT_RPC_STREAM_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kelpmq/v1/messaging.pb.h"
#include "service/rpc/consume_stream.h"
#include "service/rpc/messaging_context.h"
#include "tests/testing/fake_call.h"
#include "tests/unit/engine/engine_fixture.h"

namespace kelpmq::service::testing {

// An engine in front of another one that can be made to wait, and to let other
// things happen at certain moments. Single-threaded.
class SteeredEngine : public Engine {
 public:
  explicit SteeredEngine(Engine* engine) : engine_(engine) {}

  // Settles take effect only once they are let go.
  void HoldSettles() { hold_settles_ = true; }
  void LetSettlesGo() {
    hold_settles_ = false;
    for (auto& [params, done] : std::exchange(held_settles_, {})) {
      engine_->Settle(std::move(params), std::move(done));
    }
  }
  // Cancels take effect only once they are let go.
  void HoldCancels() { hold_cancels_ = true; }
  void LetCancelsGo() {
    hold_cancels_ = false;
    for (auto& [consumer, done] : std::exchange(held_cancels_, {})) {
      engine_->CancelConsumer(std::move(consumer), std::move(done));
    }
  }
  // Publishes take effect at once but are confirmed only once let go.
  void HoldConfirms() { hold_confirms_ = true; }
  void LetConfirmsGo() {
    hold_confirms_ = false;
    for (Closure& confirm : std::exchange(held_confirms_, {})) confirm();
  }
  // Runs once, when what a stream held has been released and nobody knows yet.
  void set_after_release(Closure after_release) {
    after_release_ = std::move(after_release);
  }
  // Runs once, before the next get.
  void set_before_get(Closure before_get) {
    before_get_ = std::move(before_get);
  }
  // Runs once, within the next CheckVhost.
  void set_on_check_vhost(Closure on_check) {
    on_check_vhost_ = std::move(on_check);
  }

  std::string name() const override { return engine_->name(); }
  void WhenRelieved(const QueueRef& queue,
                    absl::AnyInvocable<void()> done) override {
    engine_->WhenRelieved(queue, std::move(done));
  }
  void Publish(PublishParams params, Done<PublishResult> done) override {
    if (!hold_confirms_) {
      return engine_->Publish(std::move(params), std::move(done));
    }
    engine_->Publish(
        std::move(params), [this, done = std::move(done)](
                               absl::StatusOr<PublishResult> result) mutable {
          held_confirms_.push_back(
              [done = std::move(done), result = std::move(result)]() mutable {
                std::move(done)(std::move(result));
              });
        });
  }
  void Get(GetParams params, Done<GetResult> done) override {
    if (before_get_) std::exchange(before_get_, nullptr)();
    engine_->Get(std::move(params), std::move(done));
  }
  void EndGetWait(EndGetWaitParams params) override {
    engine_->EndGetWait(std::move(params));
  }
  void Consume(ConsumeParams params, Done<ConsumerRef> done) override {
    engine_->Consume(std::move(params), std::move(done));
  }
  void CancelConsumer(ConsumerRef consumer, DoneStatus done) override {
    if (hold_cancels_) {
      held_cancels_.emplace_back(std::move(consumer), std::move(done));
    } else {
      engine_->CancelConsumer(std::move(consumer), std::move(done));
    }
  }
  void UpdateConsumer(UpdateConsumerParams params, DoneStatus done) override {
    engine_->UpdateConsumer(std::move(params), std::move(done));
  }
  void GrantCredit(GrantCreditParams params, DoneStatus done) override {
    engine_->GrantCredit(std::move(params), std::move(done));
  }
  void Resume(std::vector<ConsumerRef> consumers) override {
    engine_->Resume(std::move(consumers));
  }
  void Settle(SettleParams params, Done<SettleResult> done) override {
    if (hold_settles_) {
      held_settles_.emplace_back(std::move(params), std::move(done));
    } else {
      engine_->Settle(std::move(params), std::move(done));
    }
  }
  void Release(ReleaseParams params, Done<uint64_t> done) override {
    engine_->Release(std::move(params),
                     [this, done = std::move(done)](
                         absl::StatusOr<uint64_t> requeued) mutable {
                       if (after_release_) {
                         std::exchange(after_release_, nullptr)();
                       }
                       std::move(done)(std::move(requeued));
                     });
  }
  void DeclareExchange(DeclareExchangeParams params,
                       Done<DeclareExchangeResult> done) override {
    engine_->DeclareExchange(std::move(params), std::move(done));
  }
  void DeleteExchange(DeleteExchangeParams params, Done<bool> done) override {
    engine_->DeleteExchange(std::move(params), std::move(done));
  }
  void DeclareQueue(DeclareQueueParams params,
                    Done<DeclareQueueResult> done) override {
    engine_->DeclareQueue(std::move(params), std::move(done));
  }
  void DeleteQueue(DeleteQueueParams params,
                   Done<DeleteQueueResult> done) override {
    engine_->DeleteQueue(std::move(params), std::move(done));
  }
  void PurgeQueue(PurgeQueueParams params, Done<uint64_t> done) override {
    engine_->PurgeQueue(std::move(params), std::move(done));
  }
  void Bind(BindParams params, Done<bool> done) override {
    engine_->Bind(std::move(params), std::move(done));
  }
  void Unbind(BindParams params, Done<bool> done) override {
    engine_->Unbind(std::move(params), std::move(done));
  }
  void GetExchange(GetExchangeParams params, Done<ExchangeInfo> done) override {
    engine_->GetExchange(std::move(params), std::move(done));
  }
  void GetQueue(GetQueueParams params, Done<QueueInfo> done) override {
    engine_->GetQueue(std::move(params), std::move(done));
  }
  void ListExchanges(ListParams params,
                     Done<Page<ExchangeInfo>> done) override {
    engine_->ListExchanges(std::move(params), std::move(done));
  }
  void ListQueues(ListParams params, Done<Page<QueueInfo>> done) override {
    engine_->ListQueues(std::move(params), std::move(done));
  }
  void ListBindings(ListParams params, Done<Page<BindingSpec>> done) override {
    engine_->ListBindings(std::move(params), std::move(done));
  }
  void ListConsumers(ListParams params,
                     Done<Page<ConsumerInfo>> done) override {
    engine_->ListConsumers(std::move(params), std::move(done));
  }
  void PutVhost(VhostInfo vhost, Done<bool> done) override {
    engine_->PutVhost(std::move(vhost), std::move(done));
  }
  void DeleteVhost(std::string name, Done<bool> done) override {
    engine_->DeleteVhost(std::move(name), std::move(done));
  }
  void ListVhosts(ListParams params, Done<Page<VhostInfo>> done) override {
    engine_->ListVhosts(std::move(params), std::move(done));
  }
  absl::StatusOr<std::string> FindExchangeType(
      absl::string_view vhost, absl::string_view name) const override {
    return engine_->FindExchangeType(vhost, name);
  }
  bool HasQueue(absl::string_view vhost,
                absl::string_view name) const override {
    return engine_->HasQueue(vhost, name);
  }
  absl::StatusOr<VhostInfo> FindVhost(absl::string_view name) const override {
    return engine_->FindVhost(name);
  }
  void PutPolicy(PolicyInfo policy, Done<bool> done) override {
    engine_->PutPolicy(std::move(policy), std::move(done));
  }
  void DeletePolicy(std::string vhost, std::string name,
                    Done<bool> done) override {
    engine_->DeletePolicy(std::move(vhost), std::move(name), std::move(done));
  }
  void ListPolicies(ListParams params, Done<Page<PolicyInfo>> done) override {
    engine_->ListPolicies(std::move(params), std::move(done));
  }
  absl::Status CheckVhost(absl::string_view name) const override {
    if (on_check_vhost_) std::exchange(on_check_vhost_, nullptr)();
    return engine_->CheckVhost(name);
  }
  void SetOwnerListener(std::weak_ptr<OwnerListener> listener) override {
    engine_->SetOwnerListener(std::move(listener));
  }
  void EndOwner(std::string vhost, OwnerId owner,
                Done<EndOwnerResult> done) override {
    engine_->EndOwner(std::move(vhost), owner, std::move(done));
  }

 private:
  Engine* const engine_;
  bool hold_settles_ = false;
  std::vector<std::pair<SettleParams, Done<SettleResult>>> held_settles_;
  bool hold_cancels_ = false;
  std::vector<std::pair<ConsumerRef, DoneStatus>> held_cancels_;
  bool hold_confirms_ = false;
  std::vector<Closure> held_confirms_;
  Closure after_release_;
  Closure before_get_;
  mutable Closure on_check_vhost_;
};

// Streams of clients that the test plays, on a memory engine with manual time.
// There is a queue "q".
class StreamTest : public EngineTest {
 protected:
  using Client = FakeClient<v1::ConsumeResponse>;

  StreamTest() {
    context_.engine = &stream_engine_;
    context_.sessions = sessions_.get();
    context_.leases = &leases_;
    context_.streams = &streams_;
    context_.traffic = &traffic_;
    context_.clock = &clock_;
    context_.timers = &timers_;
    context_.engine_clock = &clock_;
    context_.engine_timers = &timers_;
    EXPECT_TRUE(Declare("q").ok());
  }

  // A Consume stream that has sent nothing yet.
  std::unique_ptr<Client> Open() {
    auto client =
        std::make_unique<Client>(std::make_shared<ConsumeStream>(&context_));
    client->Start();
    return client;
  }
  // One whose first message starts a consumer; `started` has been received.
  std::unique_ptr<Client> Consuming(const std::string& queue,
                                    uint32_t prefetch_count = 100) {
    auto client = Open();
    v1::ConsumeRequest request = StartOf(queue);
    request.mutable_start()->set_prefetch_count(prefetch_count);
    client->Send(request);
    const auto started = client->Peek();
    EXPECT_TRUE(started.has_value() && started->has_started());
    client->LetWriteThrough();
    return client;
  }
  std::unique_ptr<Client> OpenWithStreamPrefetch(uint32_t count) {
    auto client = Open();
    v1::ConsumeRequest request;
    request.mutable_options()->set_prefetch_count(count);
    client->Send(request);
    return client;
  }
  std::unique_ptr<FakeClient<v1::SubscribeResponse>> Subscribe(
      const std::string& queue) {
    auto client = std::make_unique<FakeClient<v1::SubscribeResponse>>(
        std::make_shared<SubscribeStream>(&context_));
    client->Start();
    v1::SubscribeRequest request;
    request.mutable_start()->set_queue(queue);
    client->Send(request);
    return client;
  }
  // How a stream ends that begins with this request.
  absl::Status EndOf(const v1::ConsumeRequest& request) {
    auto client = Open();
    client->Send(request);
    client->Receive();
    return client->status();
  }
  // The parts of a stream, for a test that plays the layer below by itself.
  struct Stream {
    std::shared_ptr<FakeCall> call;
    std::shared_ptr<CallHandler> handler;
  };
  Stream NewStream() {
    return {std::make_shared<FakeCall>(),
            std::make_shared<ConsumeStream>(&context_)};
  }

  std::string OpenSession() {
    Sessions::OpenParams params;
    params.vhost = "/";
    return sessions_->Open(params)->session_id;
  }
  // How many deliveries that requeued.
  uint64_t CloseSession(const std::string& session_id) {
    uint64_t requeued = UINT64_MAX;
    sessions_->Close(session_id, [&](absl::StatusOr<Sessions::Ended> ended) {
      ASSERT_TRUE(ended.ok());
      requeued = ended->requeued_count;
    });
    executor_.RunAll();
    return requeued;
  }

  // ---- Requests ----

  static v1::ConsumeRequest StartOf(const std::string& queue,
                                    uint32_t consumer_id = 0) {
    v1::ConsumeRequest request;
    request.mutable_start()->set_queue(queue);
    request.mutable_start()->set_consumer_id(consumer_id);
    return request;
  }
  static v1::ConsumeRequest CancelOf(uint32_t consumer_id) {
    v1::ConsumeRequest request;
    request.mutable_cancel()->set_consumer_id(consumer_id);
    return request;
  }
  static v1::ConsumeRequest SettleOf(v1::SettleAction action,
                                     const std::vector<uint64_t>& tags,
                                     uint64_t request_id = 0) {
    v1::ConsumeRequest request;
    request.mutable_settle()->set_action(action);
    for (uint64_t tag : tags) {
      request.mutable_settle()->add_delivery_tags(tag);
    }
    request.mutable_settle()->set_request_id(request_id);
    return request;
  }
  static v1::ConsumeRequest AckOf(const std::vector<uint64_t>& tags,
                                  uint64_t request_id = 0) {
    return SettleOf(v1::SETTLE_ACTION_ACK, tags, request_id);
  }
  static v1::ConsumeRequest PingOf(uint64_t request_id) {
    v1::ConsumeRequest request;
    request.mutable_ping()->set_request_id(request_id);
    return request;
  }
  static v1::ConsumeRequest GetOf(const std::string& queue, uint64_t request_id,
                                  uint32_t max_messages = 0) {
    v1::ConsumeRequest request;
    request.mutable_get()->set_queue(queue);
    request.mutable_get()->set_request_id(request_id);
    request.mutable_get()->set_max_messages(max_messages);
    return request;
  }
  static v1::ConsumeRequest StreamPrefetch(uint32_t count) {
    v1::ConsumeRequest request;
    request.mutable_flow()->set_whole_stream(true);
    request.mutable_flow()->set_prefetch_count(count);
    return request;
  }
  static v1::ConsumeRequest Paused(bool paused) {
    v1::ConsumeRequest request;
    request.mutable_flow()->set_whole_stream(true);
    request.mutable_flow()->set_paused(paused);
    return request;
  }

  // ---- Responses ----

  static std::vector<std::string> BodiesOf(
      const std::vector<v1::ConsumeResponse>& responses) {
    std::vector<std::string> bodies;
    for (const v1::ConsumeResponse& response : responses) {
      for (const v1::Delivery& delivery : response.deliveries().deliveries()) {
        bodies.push_back(delivery.message().body());
      }
    }
    return bodies;
  }
  // Of all that comes.
  static std::vector<std::string> Bodies(Client& client) {
    return BodiesOf(client.Receive());
  }

  SteeredEngine stream_engine_{&engine_};
  std::shared_ptr<Sessions> sessions_ =
      Sessions::Create({"node", 100}, &engine_, &clock_, &timers_);
  Leases leases_{&clock_};
  StreamRegistry streams_;
  Traffic traffic_;
  MessagingContext context_;
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_UNIT_RPC_STREAM_FIXTURE_H_
