#ifndef KELPMQ_TESTS_MODEL_NAIVE_QUEUE_H_
#define KELPMQ_TESTS_MODEL_NAIVE_QUEUE_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "service/base/types.h"

namespace kelpmq::service::testing {

// The rules of a queue once more, as plainly as they can be said: one list of
// messages, one of takers, everything found by looking at all of them.
//
// What it does to the outside is a line of text in the log of the sink, or in
// `answers`.
class NaiveQueue {
 public:
  // No number: no limit.
  struct Options {
    bool auto_delete = false;
    bool quorum = false;
    bool single_active = false;
    int highest_priority = 0;
    absl::Duration expires = absl::InfiniteDuration();
    absl::Duration consumer_timeout = absl::InfiniteDuration();
    absl::Duration message_ttl = absl::InfiniteDuration();
    std::optional<uint64_t> max_length;
    std::optional<uint64_t> max_bytes;
    bool rejects = false;  // over the limit: the new ones, not the head
    bool buries = false;   // ... which become dead letters
    bool dead_letters = false;
    std::optional<uint64_t> delivery_limit;
    // What comes back waits: this long for each time, up to the most.
    absl::Duration retry_min = absl::ZeroDuration();
    absl::Duration retry_max = absl::InfiniteDuration();
    bool retry_requeued_alone = false;
    bool keeps_letters = false;  // until they are delivered
    bool deduplicates = false;
  };
  struct Publication {
    std::string body;
    size_t window_bytes = 0;
    size_t encoded_bytes = 0;
    int priority = 0;
    absl::Duration expiration = absl::InfiniteDuration();
    std::string key;  // of its duplicates
  };
  struct ConsumerOptions {
    int sink = 0;
    uint32_t key = 0;
    int priority = 0;
    bool auto_ack = false;
    bool exclusive = false;
    bool manual_credit = false;
    uint32_t prefetch_count = 0;
    uint64_t prefetch_bytes = 0;
    size_t max_delivery_bytes = SIZE_MAX;
    absl::Duration timeout = absl::ZeroDuration();
  };

  NaiveQueue(Options options, int sinks, absl::Time now)
      : logs(sinks),
        room(sinks, 0),
        options_(Effective(options)),
        last_use_(now) {}

  std::vector<std::vector<std::string>> logs;  // by sink
  std::vector<std::string> answers;
  std::vector<size_t> room;  // deliveries that a sink still takes, by sink

  std::vector<std::string> dead;  // "body reason"; of those kept with the id

  // The indexes of those refused.
  std::vector<uint32_t> Publish(const std::vector<Publication>& batch,
                                absl::Time now);

  // "waits", or what it got.
  std::string Get(int sink, uint32_t max_messages, size_t max_bytes,
                  uint64_t wait_id, absl::Time now);
  void EndGetWait(uint64_t wait_id);

  // The consumer's id, or nullopt if refused.
  std::optional<uint64_t> Consume(const ConsumerOptions& options,
                                  absl::Time now);
  void Cancel(uint64_t id, absl::Time now);
  template <typename Change>
  void Update(uint64_t id, absl::Time now, Change change) {
    if (Taker* taker = Find(id)) {
      change(*taker);
      Refresh(*taker);
      Dispatch(now);
    }
  }
  void Grant(uint64_t id, uint32_t credit, bool drain, absl::Time now);

  std::vector<uint64_t> Settle(SettleAction action,
                               const std::vector<uint64_t>& ids,
                               absl::Time now);

  uint64_t Release(int sink, absl::Time now);

  uint64_t Purge();
  // nullopt: refused or closed before.
  std::optional<uint64_t> Delete(bool if_unused, bool if_empty);
  void Touch(absl::Time now) { last_use_ = now; }

  void OnTime(absl::Time now);

  // What a policy may change.
  void Apply(const Options& options, absl::Time now);
  const Options& options() const { return options_; }

  void Dispatch(absl::Time now);

  uint64_t ready() const;
  uint64_t ready_bytes() const;
  uint64_t unacked() const;
  uint64_t bytes() const;
  uint64_t letter_bytes() const;
  size_t consumers() const;
  absl::Time next_wake();
  uint64_t last_delivery_id() const { return last_delivery_; }
  uint64_t last_consumer_id() const { return last_consumer_; }

  // What became of the letters sent so far: true, delivered.
  void OnFates(const std::map<uint64_t, bool>& fates, absl::Time now);

  bool closed = false;

  struct Taker {
    uint64_t id = 0;       // a consumer
    uint64_t wait_id = 0;  // or a get
    ConsumerOptions options;
    uint32_t credit = 0;
    bool paused = false;
    bool refused = false;
    // When it got in line, or stepped aside; 0: it stands in no line.
    uint64_t turn = 0;
    bool aside = false;
  };

 private:
  // Quorum queues drop their head when they are to bury what comes.
  static Options Effective(Options options) {
    if (options.quorum && options.buries) {
      options.rejects = options.buries = false;
    }
    return options;
  }

  struct Message {
    std::string body;
    std::string key;
    size_t window_bytes = 0;
    size_t encoded_bytes = 0;
    uint32_t count = 0;
    uint64_t delivery_id = 0;  // 0: ready; kWaits
    int sink = 0;
    uint64_t consumer = 0;
    absl::Time deadline;  // of the delivery, or when the wait is over
    int level = 0;
    absl::Time expires;
    // In a quorum queue: how many had come back when it did; 0: never out.
    uint64_t returned = 0;
  };
  // It has come back and is not ready yet.
  static constexpr uint64_t kWaits = UINT64_MAX;
  static bool IsOut(const Message& message);

  // A dead letter that is kept.
  struct Letter {
    uint64_t id = 0;
    std::string text;  // "body reason"
    uint64_t bytes = 0;
    enum { kInLine, kSent, kFailed } state = kInLine;
    absl::Time again;  // when it is sent anew
  };
  void SendLetters(absl::Time now);

  // Whether a goes before b, which came later.
  static bool GoesBefore(const Message& a, const Message& b);
  Message* Head();
  bool IsDuplicate(const std::string& key, absl::Time now) const;
  Message* FindOut(uint64_t delivery_id);
  absl::Time LeaseEnd() const;

  bool IsOver(uint64_t count, uint64_t bytes) const;
  void Die(const Message& message, const char* reason, absl::Time now);
  void DropHead(const char* reason, absl::Time now);
  void DropExpired(absl::Time now);
  void DropOverLimit(absl::Time now);
  // Gives the head to whose turn it is; false: nobody can take it.
  bool OfferHead(absl::Time now);

  // ---- Single active consumer ----

  Taker* FirstInLine();
  // Chooses the active consumer anew if that is due.
  void ChooseActive();
  bool MustYield(const Taker& active);
  bool StandsBy(const Taker& taker);
  Taker* Find(uint64_t id);

  // Sums over what the taker has out.
  std::pair<uint64_t, uint64_t> CountAndBytesOut(const Taker& taker) const;
  bool CanTake(const Taker& taker);
  bool Fits(const Taker& taker, uint64_t bytes) const;
  // Gets in line, or leaves it.
  void Refresh(Taker& taker);
  Taker* WhoseTurn(uint64_t bytes);

  std::string Send(Message& message, int sink, uint64_t consumer,
                   absl::Time deadline);
  void Settled(Message& message);
  void TakeBack(Message& message, bool requeued, absl::Time now);

  template <typename Which>
  void RemoveTakers(Which which) {
    for (const Taker& taker : takers_) {
      if (!which(taker)) continue;
      if (taker.wait_id != 0) {
        answers.push_back(absl::StrCat(taker.wait_id, ": left ", ready()));
      }
      draining_.erase(std::remove(draining_.begin(), draining_.end(), taker.id),
                      draining_.end());
    }
    takers_.erase(std::remove_if(takers_.begin(), takers_.end(), which),
                  takers_.end());
  }
  void AfterLeaving(absl::Time now);
  void FinishDrains();
  void Lose(int sink, const std::set<uint64_t>& ids, const char* why);
  void Close(const char* how);

  Options options_;
  std::vector<Message> messages_;  // in the order they were published
  std::vector<Taker> takers_;      // in the order they came
  std::vector<uint64_t> draining_;
  std::vector<Letter> letters_;  // in order of death
  uint64_t last_letter_ = 0;
  uint64_t last_turn_ = 0;
  uint64_t last_delivery_ = 0;
  uint64_t last_consumer_ = 0;
  uint64_t last_return_ = 0;
  uint64_t active_ = 0;  // the single active consumer
  absl::Time last_use_;
  absl::Time lease_start_ = absl::InfinitePast();
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_MODEL_NAIVE_QUEUE_H_
