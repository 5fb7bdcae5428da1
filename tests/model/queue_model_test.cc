// QueueCore against NaiveQueue under random operations.
// KELPMQ_MODEL_SEED=n in the environment replays the one sequence n.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/queue/queue_core.h"
#include "tests/model/naive_queue.h"
#include "tests/testing/plain_message.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service::testing {
namespace {

constexpr uint32_t kSequences = 3000;
constexpr int kOperations = 120;
constexpr int kSinks = 3;

// Names a sink; the room is in Sequence.
class NamedSink : public DeliverySink {
 public:
  explicit NamedSink(int index) : index(index) {}
  bool TryReserve(uint32_t, size_t) override { return true; }
  void Deliver(uint32_t, std::vector<Delivery>) override {}
  void ConsumerCancelled(uint32_t, CancelReason, absl::Status,
                         uint64_t) override {}
  void DeliveriesLost(const QueueRef&, absl::Span<const uint64_t>,
                      LostReason) override {}
  void CreditDrained(uint32_t, uint32_t) override {}

  const int index;
};

// One sequence of random operations on both.
class Sequence : public RoomSource {
 public:
  explicit Sequence(uint32_t seed)
      : random_(seed), naive_(Options(), kSinks, now_) {
    for (int i = 0; i < kSinks; ++i) {
      sinks_.push_back(std::make_shared<NamedSink>(i));
      logs_.emplace_back();
    }
  }

  void Run() {
    for (int i = 0; i < kOperations && !::testing::Test::HasFailure(); ++i) {
      const uint32_t choice = random_() % 100;
      if (choice < 20) {
        Publish();
      } else if (choice < 32) {
        Get();
      } else if (choice < 34) {
        EndGetWait();
      } else if (choice < 46) {
        Consume();
      } else if (choice < 49) {
        Cancel();
      } else if (choice < 72) {
        Settle();
      } else if (choice < 75) {
        Release();
      } else if (choice < 80) {
        Update();
      } else if (choice < 85) {
        Grant();
      } else if (choice < 90) {
        Resume();
      } else if (choice < 91) {
        Say("purge");
        EXPECT_EQ(core_->Purge(&effects_), naive_.Purge());
      } else if (choice < 92) {
        Delete();
      } else if (choice < 93) {
        Say("touch");
        core_->Touch(now_);
        naive_.Touch(now_);
      } else {
        Pass();
      }
      Compare();
    }
    // What is out comes back, and nothing of any sink is kept.
    for (int i = 0; i < kSinks; ++i) Release(i);
    Compare();
    EXPECT_EQ(core_->holder_count(), 0u);
  }

  const std::string& story() const { return story_; }

 private:
  bool TryReserve(DeliverySink& sink, uint32_t, size_t) override {
    size_t& room = room_[static_cast<NamedSink&>(sink).index];
    if (room == 0) return false;
    --room;
    return true;
  }

  NaiveQueue::Options Options() {
    NaiveQueue::Options options;
    QueueSpec spec;
    spec.name = "q";
    QueueArguments arguments;
    options.auto_delete = spec.auto_delete = random_() % 4 == 0;
    if (random_() % 3 == 0) {
      options.expires = absl::Milliseconds(500);
      arguments.expires = options.expires;
    }
    if (random_() % 3 == 0) {
      options.consumer_timeout = absl::Milliseconds(100);
      arguments.consumer_timeout = options.consumer_timeout;
    }
    core_ = std::make_unique<QueueCore>(spec, arguments, "v", this, now_);
    return options;
  }

  void Say(std::string line) { absl::StrAppend(&story_, line, "\n"); }

  void Publish() {
    std::vector<MessageRef> messages;
    for (uint32_t i = 0; i <= random_() % 4; ++i) {
      // Sizes that byte windows and size limits sometimes refuse.
      std::string body = absl::StrCat("m", ++published_);
      if (random_() % 4 == 0) body.append(random_() % 120, '.');
      messages.push_back(PlainMessage("", "q", body));
      naive_.Publish(body, messages.back()->encoded().size(),
                     EncodedDeliveryBytes(*messages.back()));
    }
    Say(absl::StrCat("publish ", messages.size()));
    core_->Enqueue(std::move(messages), now_, &effects_);
    if (!naive_.closed) naive_.Dispatch(now_);
  }

  void Get() {
    const int sink = RandomSink();
    GetParams params;
    params.holder = sinks_[sink];
    params.max_messages = 1 + random_() % 3;
    if (random_() % 5 == 0) params.max_bytes = 20 + random_() % 200;
    if (random_() % 2 == 0) params.wait_id = ++last_wait_;
    Say(absl::StrCat("get ", sink, " ", params.max_messages, " ",
                     params.max_bytes, " ", params.wait_id));
    auto result = core_->Get(params, now_, &effects_);
    std::string got = "waits";
    if (!result.ok()) {
      got = ReasonOf(result);
    } else if (result->has_value()) {
      got = Print(**result);
    }
    EXPECT_EQ(got, naive_.Get(sink, params.max_messages, params.max_bytes,
                              params.wait_id, now_));
  }
  void EndGetWait() {
    const uint64_t wait_id = 1 + random_() % (last_wait_ + 1);
    Say(absl::StrCat("end wait ", wait_id));
    core_->EndGetWait(wait_id, &effects_);
    naive_.EndGetWait(wait_id);
  }

  void Consume() {
    NaiveQueue::ConsumerOptions options;
    options.sink = RandomSink();
    options.key = ++last_key_;
    options.priority = static_cast<int>(random_() % 3) - 1;
    options.auto_ack = random_() % 5 == 0;
    options.exclusive = random_() % 20 == 0;
    options.manual_credit = random_() % 4 == 0;
    if (random_() % 2 == 0) options.prefetch_count = 1 + random_() % 3;
    if (random_() % 3 == 0) options.prefetch_bytes = 10 + random_() % 150;
    if (random_() % 5 == 0) options.max_delivery_bytes = 60 + random_() % 100;
    if (random_() % 4 == 0) {
      options.timeout = absl::Milliseconds(50 + random_() % 300);
    }
    Say(absl::StrCat("consume ", options.sink, " key ", options.key,
                     " priority ", options.priority, " prefetch ",
                     options.prefetch_count, "/", options.prefetch_bytes,
                     options.auto_ack ? " auto_ack" : "",
                     options.manual_credit ? " credit" : "", " max ",
                     options.max_delivery_bytes));
    ConsumeParams params;
    params.sink = sinks_[options.sink];
    params.consumer_key = options.key;
    params.priority = options.priority;
    params.auto_ack = options.auto_ack;
    params.exclusive = options.exclusive;
    params.manual_credit = options.manual_credit;
    params.prefetch_count = options.prefetch_count;
    params.prefetch_bytes = options.prefetch_bytes;
    params.max_delivery_bytes = options.max_delivery_bytes;
    params.delivery_timeout = options.timeout;
    const auto id = core_->Consume(params, now_, &effects_);
    const auto naive_id = naive_.Consume(options, now_);
    EXPECT_EQ(id.ok(), naive_id.has_value());
    if (id.ok()) {
      EXPECT_EQ(*id, naive_id.value_or(0));
    }
  }
  void Cancel() {
    const uint64_t id = RandomConsumer();
    Say(absl::StrCat("cancel ", id));
    core_->CancelConsumer(id, now_, &effects_);
    naive_.Cancel(id, now_);
  }
  void Update() {
    UpdateConsumerParams params;
    params.consumer.consumer_id = RandomConsumer();
    if (random_() % 2 == 0) params.prefetch_count = random_() % 4;
    if (random_() % 2 == 0) params.prefetch_bytes = random_() % 200;
    if (random_() % 2 == 0) params.paused = random_() % 2 == 0;
    Say(absl::StrCat("update ", params.consumer.consumer_id));
    core_->UpdateConsumer(params, now_, &effects_);
    naive_.Update(params.consumer.consumer_id, now_,
                  [&](NaiveQueue::Taker& taker) {
                    if (params.prefetch_count) {
                      taker.options.prefetch_count = *params.prefetch_count;
                    }
                    if (params.prefetch_bytes) {
                      taker.options.prefetch_bytes = *params.prefetch_bytes;
                    }
                    if (params.paused) taker.paused = *params.paused;
                  });
  }
  void Grant() {
    GrantCreditParams params;
    params.consumer.consumer_id = RandomConsumer();
    params.messages = random_() % 5;
    params.drain = random_() % 3 == 0;
    Say(absl::StrCat("grant ", params.consumer.consumer_id, " ",
                     params.messages, params.drain ? " drain" : ""));
    core_->GrantCredit(params, now_, &effects_);
    naive_.Grant(params.consumer.consumer_id, params.messages, params.drain,
                 now_);
  }
  // Some room for one sink, and one consumer resumed, of that sink or not.
  void Resume() {
    const int sink = RandomSink();
    const size_t more = random_() % 30;
    room_[sink] += more;
    naive_.room[sink] += more;
    const uint64_t id = RandomConsumer();
    Say(absl::StrCat("room ", sink, " +", more, " resume ", id));
    core_->Resume({id}, now_, &effects_);
    naive_.Update(id, now_,
                  [](NaiveQueue::Taker& taker) { taker.refused = false; });
  }

  void Settle() {
    std::vector<uint64_t> ids;
    const uint64_t last = naive_.last_delivery_id();
    for (uint32_t i = 0; i <= random_() % 6; ++i) {
      // Mostly recent ones.
      const uint64_t back = random_() % (random_() % 4 == 0 ? last + 2 : 12);
      ids.push_back(last + 1 - std::min(back, last + 1));
    }
    const auto action = static_cast<SettleAction>(random_() % 3);
    Say(absl::StrCat("settle ", action, " ", absl::StrJoin(ids, " ")));
    EXPECT_EQ(core_->Settle(action, ids, now_, &effects_),
              naive_.Settle(action, ids, now_));
  }
  void Release() { Release(RandomSink()); }
  void Release(int sink) {
    Say(absl::StrCat("release ", sink));
    EXPECT_EQ(core_->Release(sinks_[sink].get(), now_, &effects_),
              naive_.Release(sink, now_));
  }
  void Delete() {
    if (random_() % 4 != 0) return;
    const bool if_unused = random_() % 2 == 0;
    const bool if_empty = random_() % 2 == 0;
    Say("delete");
    const auto result = core_->Delete(if_unused, if_empty, &effects_);
    EXPECT_EQ(result.value_or(std::nullopt),
              naive_.Delete(if_unused, if_empty));
  }
  void Pass() {
    now_ += absl::Milliseconds(random_() % 120);
    Say("pass");
    core_->OnTime(now_, &effects_);
    naive_.OnTime(now_);
  }

  int RandomSink() { return static_cast<int>(random_() % kSinks); }
  uint64_t RandomConsumer() {
    // One of the latest, so that most still exist.
    const uint64_t last = naive_.last_consumer_id();
    return last - std::min<uint64_t>(last, random_() % 6);
  }

  static std::string Print(const Delivery& delivery) {
    return absl::StrCat(delivery.delivery_id, "=", BodyOf(*delivery.message),
                        "x", delivery.delivery_count);
  }
  static std::string Print(const GetResult& result) {
    std::string text;
    for (const Delivery& delivery : result.deliveries) {
      absl::StrAppend(&text, Print(delivery), " ");
    }
    if (result.required_bytes > 0) {
      absl::StrAppend(&text, "needs ", result.required_bytes);
    }
    return absl::StrCat(text, "left ", result.message_count);
  }

  // Logs what the core wants done.
  void Record() {
    for (const auto& [sink, what] : effects_.events) {
      auto& log = logs_[static_cast<NamedSink&>(*sink).index];
      if (auto* deliver = std::get_if<QueueEffects::Deliver>(&what)) {
        for (const Delivery& delivery : deliver->deliveries) {
          log.push_back(absl::StrCat("delivered ", deliver->consumer_key, " ",
                                     Print(delivery)));
        }
      } else if (auto* cancel = std::get_if<QueueEffects::Cancel>(&what)) {
        std::string why = absl::StrCat(" needs ", cancel->required_bytes);
        if (cancel->reason == CancelReason::kQueueDeleted) why = " deleted";
        if (cancel->reason == CancelReason::kQueueExpired) why = " expired";
        log.push_back(absl::StrCat("cancelled ", cancel->consumer_key, why));
      } else if (auto* lose = std::get_if<QueueEffects::Lose>(&what)) {
        const bool timeout = lose->reason == LostReason::kDeliveryTimeout;
        log.push_back(absl::StrCat("lost ", timeout ? "timeout " : "deleted ",
                                   absl::StrJoin(lose->delivery_ids, " ")));
      } else if (auto* drained = std::get_if<QueueEffects::Drained>(&what)) {
        log.push_back(absl::StrCat("drained ", drained->consumer_key, " ",
                                   drained->unused_credit));
      }
    }
    for (const auto& answer : effects_.answered) {
      answers_.push_back(absl::StrCat(answer.wait_id, ": ",
                                      answer.result.ok()
                                          ? Print(*answer.result)
                                          : ReasonOf(answer.result)));
    }
    effects_ = QueueEffects();
  }

  void Compare() {
    Record();
    EXPECT_EQ(logs_, naive_.logs);
    EXPECT_EQ(answers_, naive_.answers);
    EXPECT_EQ(core_->closed(), naive_.closed);
    EXPECT_EQ(core_->ready_count(), naive_.ready());
    EXPECT_EQ(core_->unacked_count(), naive_.unacked());
    EXPECT_EQ(core_->message_bytes(), naive_.bytes());
    EXPECT_EQ(core_->consumer_count(), naive_.consumers());
    EXPECT_EQ(core_->next_wake(), naive_.next_wake());
    for (auto& log : logs_) log.clear();
    for (auto& log : naive_.logs) log.clear();
    answers_.clear();
    naive_.answers.clear();
  }

  std::mt19937 random_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000'000);
  std::vector<std::shared_ptr<NamedSink>> sinks_;
  std::vector<size_t> room_ = std::vector<size_t>(kSinks, 0);
  std::unique_ptr<QueueCore> core_;
  NaiveQueue naive_;
  QueueEffects effects_;
  std::vector<std::vector<std::string>> logs_;
  std::vector<std::string> answers_;
  uint64_t published_ = 0;
  uint64_t last_wait_ = 0;
  uint32_t last_key_ = 0;
  std::string story_;
};

void RunSeed(uint32_t seed) {
  Sequence sequence(seed);
  sequence.Run();
  if (::testing::Test::HasFailure()) {
    FAIL() << "KELPMQ_MODEL_SEED=" << seed << "\n" << sequence.story();
  }
}

TEST(QueueModel, AgreesWithTheNaiveQueue) {
  const char* only = std::getenv("KELPMQ_MODEL_SEED");
  uint32_t seed = 0;
  if (only != nullptr && absl::SimpleAtoi(only, &seed)) {
    RunSeed(seed);
    return;
  }
  for (seed = 0; seed < kSequences; ++seed) {
    ASSERT_NO_FATAL_FAILURE(RunSeed(seed));
  }
}

}  // namespace
}  // namespace kelpmq::service::testing
