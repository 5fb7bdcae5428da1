// QueueCore against NaiveQueue under random operations. Of a sequence in which
// they differ, all is left out that does not matter, and the rest is printed.
// KELPMQ_MODEL_SEED=n in the environment replays the one sequence n.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/queue/queue_core.h"
#include "tests/model/naive_queue.h"
#include "tests/testing/message_encoder.h"
#include "tests/testing/plain_message.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service::testing {
namespace {

constexpr uint32_t kSequences = 10'000;
constexpr int kOperations = 100;
constexpr int kSinks = 3;

// Names a sink; the room is in Sequence.
class NamedSink : public DeliverySink {
 public:
  explicit NamedSink(int index) : index(index) {}
  uint32_t Reserve(uint32_t, size_t, uint32_t) override { return 1; }
  void Deliver(uint32_t, std::vector<Delivery>) override {}
  void ConsumerCancelled(uint32_t, CancelReason, absl::Status,
                         uint64_t) override {}
  void DeliveriesLost(const QueueRef&, absl::Span<const uint64_t>,
                      LostReason) override {}
  void CreditDrained(uint32_t, uint32_t) override {}

  const int index;
};

// A sequence is a seed for the queue, and one for each operation: so an
// operation stays what it is when others are left out.
struct Seeds {
  uint32_t queue = 0;
  std::vector<uint32_t> operations;
};

// One sequence of random operations on both.
class Sequence : public RoomSource {
 public:
  explicit Sequence(const Seeds& seeds)
      : seeds_(seeds), random_(seeds.queue), naive_(Options(), kSinks, now_) {
    for (int i = 0; i < kSinks; ++i) {
      sinks_.push_back(std::make_shared<NamedSink>(i));
      logs_.emplace_back();
    }
  }

  // False: they differ.
  bool Run() {
    for (uint32_t seed : seeds_.operations) {
      random_.seed(seed);
      Operate(random_() % 100);
      Compare();
      if (!difference_.empty()) return false;
    }
    // What is out comes back, and nothing of any sink is kept.
    for (int i = 0; i < kSinks; ++i) Release(i);
    Compare();
    Expect("holders", core_->holder_count(), size_t{0});
    return difference_.empty();
  }

  // What was done, and where they differed.
  std::string story() const { return absl::StrCat(story_, difference_, "\n"); }

 private:
  template <typename T>
  void Expect(absl::string_view what, const T& core, const T& naive) {
    if (core == naive || !difference_.empty()) return;
    difference_ =
        absl::StrCat(what, ": ", ::testing::PrintToString(core),
                     ", but naively ", ::testing::PrintToString(naive));
  }

  void Operate(uint32_t choice) {
    if (choice < 22) {
      Publish();
    } else if (choice < 32) {
      Get();
    } else if (choice < 34) {
      EndGetWait();
    } else if (choice < 45) {
      Consume();
    } else if (choice < 49) {
      Cancel();
    } else if (choice < 70) {
      Settle();
    } else if (choice < 73) {
      Release();
    } else if (choice < 78) {
      Update();
    } else if (choice < 83) {
      Grant();
    } else if (choice < 88) {
      Resume();
    } else if (choice < 89) {
      Say("purge");
      Expect("purged", core_->Purge(&effects_), naive_.Purge());
    } else if (choice < 90) {
      Delete();
    } else if (choice < 91) {
      Say("touch");
      core_->Touch(now_);
      if (!naive_.options().quorum) naive_.Touch(now_);
    } else if (choice < 93) {
      Apply();
    } else if (choice < 95) {
      TellFates();
    } else {
      Pass();
    }
  }

  bool TryReserve(DeliverySink& sink, uint32_t, size_t, size_t) override {
    size_t& room = room_[static_cast<NamedSink&>(sink).index];
    if (room == 0) return false;
    --room;
    return true;
  }

  bool OneIn(uint32_t n) { return random_() % n == 0; }

  NaiveQueue::Options Options() {
    NaiveQueue::Options options;
    options.auto_delete = OneIn(4);
    options.quorum = OneIn(4);
    options.single_active = OneIn(4);
    if (!options.quorum && OneIn(3))
      options.highest_priority = 1 + random_() % 5;
    options.deduplicates = !options.quorum && OneIn(3);
    ChangeableOptions(&options);
    QueueSpec spec;
    spec.name = "q";
    spec.auto_delete = options.auto_delete;
    core_ = std::make_unique<QueueCore>(spec, ArgumentsOf(options), "v", this,
                                        now_);
    return options;
  }
  // Those that a policy may change.
  void ChangeableOptions(NaiveQueue::Options* options) {
    const auto sometimes = [this](absl::Duration time) {
      return OneIn(3) ? time : absl::InfiniteDuration();
    };
    options->expires = sometimes(absl::Milliseconds(500));
    options->consumer_timeout = sometimes(absl::Milliseconds(100));
    options->message_ttl = sometimes(absl::Milliseconds(random_() % 300));
    options->max_length.reset();
    options->max_bytes.reset();
    if (OneIn(4)) options->max_length = random_() % 6;
    if (OneIn(4)) options->max_bytes = random_() % 100;
    options->rejects = OneIn(3);
    options->buries = options->rejects && OneIn(2);
    options->dead_letters = OneIn(2);
    options->delivery_limit.reset();
    if (OneIn(3)) options->delivery_limit = random_() % 3;
    options->retry_min = absl::ZeroDuration();
    options->retry_max = absl::InfiniteDuration();
    if (options->quorum && OneIn(2)) {
      options->retry_min = absl::Milliseconds(random_() % 80);
      if (OneIn(2)) options->retry_max = absl::Milliseconds(random_() % 160);
      options->retry_requeued_alone = OneIn(3);
    }
    options->keeps_letters = options->quorum && options->dead_letters &&
                             options->rejects && !options->buries && OneIn(2);
  }
  static QueueArguments ArgumentsOf(const NaiveQueue::Options& options) {
    const auto finite =
        [](absl::Duration time) -> std::optional<absl::Duration> {
      if (time == absl::InfiniteDuration()) return std::nullopt;
      return time;
    };
    QueueArguments arguments;
    if (options.quorum) arguments.type = QueueType::kQuorum;
    arguments.single_active_consumer = options.single_active;
    arguments.deduplicates = options.deduplicates;
    if (options.highest_priority > 0) {
      arguments.max_priority = static_cast<uint8_t>(options.highest_priority);
    }
    arguments.expires = finite(options.expires);
    arguments.consumer_timeout = options.consumer_timeout;
    arguments.message_ttl = finite(options.message_ttl);
    arguments.max_length = options.max_length;
    arguments.max_length_bytes = options.max_bytes;
    if (options.rejects) arguments.overflow = Overflow::kRejectPublish;
    if (options.buries) arguments.overflow = Overflow::kRejectPublishDlx;
    if (options.dead_letters) arguments.dead_letter_exchange = "dlx";
    arguments.delivery_limit = -1;
    if (options.delivery_limit) {
      arguments.delivery_limit = static_cast<int64_t>(*options.delivery_limit);
    }
    if (options.retry_min > absl::ZeroDuration()) {
      arguments.retry_delay = {options.retry_requeued_alone
                                   ? RetryDelay::Type::kReturned
                                   : RetryDelay::Type::kAll,
                               options.retry_min, options.retry_max};
    }
    if (options.keeps_letters) {
      arguments.dead_letter_strategy = DeadLetterStrategy::kAtLeastOnce;
    }
    return arguments;
  }
  void Apply() {
    NaiveQueue::Options options = naive_.options();
    ChangeableOptions(&options);
    Say("apply");
    core_->ApplyArguments(ArgumentsOf(options), now_, &effects_);
    naive_.Apply(options, now_);
  }

  void Say(std::string line) { absl::StrAppend(&story_, line, "\n"); }

  void Publish() {
    std::vector<MessageRef> messages;
    std::vector<NaiveQueue::Publication> publications;
    std::string line = "publish";
    for (uint32_t i = 0; i <= random_() % 4; ++i) {
      NaiveQueue::Publication publication;
      MessageParts parts;
      // Sizes that byte windows and size limits sometimes refuse.
      parts.body = absl::StrCat("m", ++published_);
      if (OneIn(4)) parts.body.append(random_() % 120, '.');
      if (OneIn(3)) parts.priority = static_cast<uint8_t>(random_() % 8);
      if (OneIn(5)) {
        const uint32_t milliseconds = OneIn(3) ? 0 : random_() % 300;
        parts.expiration = absl::StrCat(milliseconds);
        publication.expiration = absl::Milliseconds(milliseconds);
      }
      if (OneIn(2)) {
        publication.key = absl::StrCat("k", random_() % 4);
        parts.headers = {{"x-deduplication-header", publication.key}};
      }
      messages.push_back(MessageOf(parts));
      publication.body = parts.body;
      publication.window_bytes = messages.back()->encoded().size();
      publication.encoded_bytes = EncodedDeliveryBytes(*messages.back());
      publication.priority = parts.priority;
      absl::StrAppend(&line, " ", parts.body, " (priority ", parts.priority,
                      ", expiration ", parts.expiration, ", key ",
                      publication.key, ")");
      publications.push_back(std::move(publication));
    }
    Say(line);
    Expect("refused", core_->Enqueue(std::move(messages), now_, &effects_),
           naive_.Publish(publications, now_));
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
    Expect("got", got,
           naive_.Get(sink, params.max_messages, params.max_bytes,
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
    Expect("consumer", id.ok() ? *id : 0, naive_id.value_or(0));
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
    Expect("lost", core_->Settle(action, ids, now_, &effects_),
           naive_.Settle(action, ids, now_));
  }
  void Release() { Release(RandomSink()); }
  void Release(int sink) {
    Say(absl::StrCat("release ", sink));
    Expect("requeued", core_->Release(sinks_[sink].get(), now_, &effects_),
           naive_.Release(sink, now_));
  }
  void Delete() {
    if (random_() % 4 != 0) return;
    const bool if_unused = random_() % 2 == 0;
    const bool if_empty = random_() % 2 == 0;
    Say("delete");
    const auto result = core_->Delete(if_unused, if_empty, &effects_);
    Expect("deleted", result.value_or(std::nullopt),
           naive_.Delete(if_unused, if_empty));
  }
  void Pass() {
    // Now and then long enough for letters to be sent anew.
    now_ += OneIn(20) ? absl::Seconds(11) : absl::Milliseconds(random_() % 120);
    Say(absl::StrCat("pass to ", absl::ToUnixMillis(now_)));
    core_->OnTime(now_, &effects_);
    naive_.OnTime(now_);
  }

  // What became of some of the letters, which may have been told before.
  void TellFates() {
    std::vector<LetterFate> fates;
    std::map<uint64_t, bool> naive_fates;
    std::string line = "fates";
    for (uint64_t id = 1; id <= last_letter_; ++id) {
      if (!OneIn(3)) continue;
      fates.emplace_back();
      fates.back().letter_id = id;
      fates.back().delivered = OneIn(2);
      naive_fates[id] = fates.back().delivered;
      absl::StrAppend(&line, " ", id, naive_fates[id] ? "" : " not", ",");
    }
    Say(line);
    core_->OnLetterFates(fates, now_, &effects_);
    naive_.OnFates(naive_fates, now_);
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
    for (const DeadMessage& dead : effects_.dead) {
      constexpr const char* kReasons[] = {"rejected", "expired", "maxlen",
                                          "delivery_limit"};
      dead_.push_back(absl::StrCat(BodyOf(*dead.message), " ",
                                   kReasons[static_cast<int>(dead.reason)], " ",
                                   dead.letter_id));
      last_letter_ = std::max(last_letter_, dead.letter_id);
    }
    effects_ = QueueEffects();
  }

  void Compare() {
    Record();
    Expect("told", logs_, naive_.logs);
    Expect("answers", answers_, naive_.answers);
    Expect("dead", dead_, naive_.dead);
    Expect("closed", core_->closed(), naive_.closed);
    Expect("ready", uint64_t{core_->ready_count()}, naive_.ready());
    Expect("unacked", uint64_t{core_->unacked_count()}, naive_.unacked());
    Expect("bytes", core_->message_bytes(), naive_.bytes());
    Expect("consumers", core_->consumer_count(), naive_.consumers());
    Expect("next wake", core_->next_wake(), naive_.next_wake());
    for (auto& log : logs_) log.clear();
    for (auto& log : naive_.logs) log.clear();
    answers_.clear();
    naive_.answers.clear();
    dead_.clear();
    naive_.dead.clear();
  }

  const Seeds seeds_;
  std::minstd_rand random_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000'000);
  std::vector<std::shared_ptr<NamedSink>> sinks_;
  std::vector<size_t> room_ = std::vector<size_t>(kSinks, 0);
  std::unique_ptr<QueueCore> core_;
  NaiveQueue naive_;
  QueueEffects effects_;
  std::vector<std::vector<std::string>> logs_;
  std::vector<std::string> answers_;
  std::vector<std::string> dead_;
  uint64_t published_ = 0;
  uint64_t last_wait_ = 0;
  uint64_t last_letter_ = 0;
  uint32_t last_key_ = 0;
  std::string story_;
  std::string difference_;  // the first
};

bool Agree(const Seeds& seeds) { return Sequence(seeds).Run(); }

// Leaves out of a sequence in which they differ whatever it can, as long as
// they still do.
Seeds Shrink(Seeds seeds) {
  for (size_t chunk = seeds.operations.size(); chunk > 0; chunk /= 2) {
    for (size_t at = 0; at < seeds.operations.size();) {
      Seeds shorter = seeds;
      auto& operations = shorter.operations;
      const size_t end = std::min(at + chunk, operations.size());
      operations.erase(operations.begin() + at, operations.begin() + end);
      if (Agree(shorter)) {
        at += chunk;
      } else {
        seeds = std::move(shorter);
      }
    }
  }
  return seeds;
}

void RunSeed(uint32_t seed) {
  std::mt19937 random(seed);
  Seeds seeds;
  seeds.queue = random();
  for (int i = 0; i < kOperations; ++i) seeds.operations.push_back(random());
  if (Agree(seeds)) return;
  Sequence smallest(Shrink(std::move(seeds)));
  smallest.Run();
  FAIL() << "KELPMQ_MODEL_SEED=" << seed << "\n" << smallest.story();
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
