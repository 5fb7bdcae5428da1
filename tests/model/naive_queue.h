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
      : logs(sinks), room(sinks, 0), options_(options), last_use_(now) {}

  std::vector<std::vector<std::string>> logs;  // by sink
  std::vector<std::string> answers;
  std::vector<size_t> room;  // deliveries that a sink still takes, by sink

  std::vector<std::string> dead;  // "body reason"; of those kept with the id

  // The indexes of those refused.
  std::vector<uint32_t> Publish(const std::vector<Publication>& batch,
                                absl::Time now) {
    std::vector<uint32_t> refused;
    DropExpired(now);
    for (uint32_t i = 0; i < batch.size() && !closed; ++i) {
      const Publication& p = batch[i];
      if (options_.rejects &&
          IsOver(ready() + letters_.size() + 1,
                 ready_bytes() + letter_bytes() + p.body.size())) {
        Message message;
        message.body = p.body;
        if (options_.buries) Die(message, "maxlen", now);
        refused.push_back(i);
        continue;
      }
      Message message;
      message.body = p.body;
      message.window_bytes = p.window_bytes;
      message.encoded_bytes = p.encoded_bytes;
      int priority = p.priority;
      if (options_.quorum && priority == 0) priority = 4;
      message.level =
          std::min(priority, options_.quorum ? 31 : options_.highest_priority);
      const absl::Duration ttl = std::min(options_.message_ttl, p.expiration);
      message.expires = now + ttl;
      message.key = p.key;
      if (options_.deduplicates && IsDuplicate(p.key, now)) continue;
      messages_.push_back(message);
      if (!options_.max_length && !options_.max_bytes &&
          ttl == absl::InfiniteDuration()) {
        continue;
      }
      // To who can take it now, before limits and time count.
      const uint64_t before = ready();
      while (ready() == before && OfferHead(now)) {
      }
      DropOverLimit(now);
      Dispatch(now);
    }
    if (!closed) Dispatch(now);
    return refused;
  }

  // "waits", or what it got.
  std::string Get(int sink, uint32_t max_messages, size_t max_bytes,
                  uint64_t wait_id, absl::Time now) {
    if (closed) return "QUEUE_DELETED";
    last_use_ = now;
    DropExpired(now);
    if (Head() == nullptr && wait_id != 0) {
      Taker taker;
      taker.wait_id = wait_id;
      taker.options.sink = sink;
      taker.options.prefetch_count = 1;
      taker.options.max_delivery_bytes = max_bytes;
      takers_.push_back(taker);
      Refresh(takers_.back());
      return "waits";
    }
    std::string got;
    size_t left = max_bytes;
    for (uint32_t i = 0; i < max_messages && Head() != nullptr; ++i) {
      if (Head()->encoded_bytes > left) {
        if (i == 0) got = absl::StrCat("needs ", Head()->encoded_bytes);
        break;
      }
      left -= Head()->encoded_bytes;
      absl::StrAppend(&got, Send(*Head(), sink, 0, absl::InfiniteFuture()),
                      " ");
      DropExpired(now);
    }
    absl::StrAppend(&got, "left ", ready());
    Dispatch(now);
    return got;
  }
  void EndGetWait(uint64_t wait_id) {
    RemoveTakers([wait_id](const Taker& t) { return t.wait_id == wait_id; });
  }

  // The consumer's id, or nullopt if refused.
  std::optional<uint64_t> Consume(const ConsumerOptions& options,
                                  absl::Time now) {
    if (closed) return std::nullopt;
    if (options.exclusive && options_.single_active) return std::nullopt;
    for (const Taker& taker : takers_) {
      if (taker.id != 0 && !options_.quorum &&
          (options.exclusive || taker.options.exclusive)) {
        return std::nullopt;
      }
    }
    Taker taker;
    taker.id = ++last_consumer_;
    taker.options = options;
    takers_.push_back(taker);
    ChooseActive();
    Refresh(takers_.back());
    Dispatch(now);
    return taker.id;
  }
  void Cancel(uint64_t id, absl::Time now) {
    if (Find(id) == nullptr) return;
    RemoveTakers([id](const Taker& t) { return t.id == id; });
    AfterLeaving(now);
    if (!closed) Dispatch(now);
  }
  template <typename Change>
  void Update(uint64_t id, absl::Time now, Change change) {
    if (Taker* taker = Find(id)) {
      change(*taker);
      Refresh(*taker);
      Dispatch(now);
    }
  }
  void Grant(uint64_t id, uint32_t credit, bool drain, absl::Time now) {
    Update(id, now, [&](Taker& taker) {
      if (taker.options.manual_credit) taker.credit += credit;
      if (drain && std::count(draining_.begin(), draining_.end(), id) == 0) {
        draining_.push_back(id);
      }
    });
  }

  std::vector<uint64_t> Settle(SettleAction action,
                               const std::vector<uint64_t>& ids,
                               absl::Time now) {
    std::vector<uint64_t> lost;
    for (uint64_t id : ids) {
      auto it = std::find_if(
          messages_.begin(), messages_.end(),
          [id](const Message& m) { return m.delivery_id == id && id != 0; });
      if (it == messages_.end()) {
        lost.push_back(id);
      } else if (action == SettleAction::kRequeue) {
        TakeBack(*it, /*requeued=*/true, now);
      } else {
        Settled(*it);
        if (action == SettleAction::kDiscard) Die(*it, "rejected", now);
        messages_.erase(it);
      }
    }
    DropOverLimit(now);
    Dispatch(now);
    return lost;
  }

  uint64_t Release(int sink, absl::Time now) {
    std::vector<uint64_t> waits;
    for (const Taker& taker : takers_) {
      if (taker.options.sink == sink && taker.id == 0) {
        waits.push_back(taker.wait_id);
      }
    }
    std::sort(waits.begin(), waits.end());
    for (uint64_t wait_id : waits) {
      answers.push_back(absl::StrCat(wait_id, ": left 0"));
      takers_.erase(
          std::find_if(takers_.begin(), takers_.end(),
                       [&](const Taker& t) { return t.wait_id == wait_id; }));
    }
    std::set<uint64_t> held;  // comes back in the order in which it went out
    for (const Message& message : messages_) {
      if (IsOut(message) && message.sink == sink) {
        held.insert(message.delivery_id);
      }
    }
    const size_t before = takers_.size();
    RemoveTakers([sink](const Taker& t) { return t.options.sink == sink; });
    if (options_.auto_delete && takers_.size() < before && consumers() == 0) {
      // The queue goes before anything comes back, and says nothing of it.
      messages_.erase(std::remove_if(messages_.begin(), messages_.end(),
                                     [&](const Message& m) {
                                       return held.count(m.delivery_id) != 0;
                                     }),
                      messages_.end());
    }
    if (takers_.size() < before) AfterLeaving(now);
    if (closed) return 0;
    for (uint64_t id : held) TakeBack(*FindOut(id), /*requeued=*/false, now);
    DropOverLimit(now);
    Dispatch(now);
    return held.size();
  }

  uint64_t Purge() {
    const uint64_t dropped = ready();
    messages_.erase(
        std::remove_if(messages_.begin(), messages_.end(),
                       [](const Message& m) { return m.delivery_id == 0; }),
        messages_.end());
    for (Message& message : messages_) message.key.clear();
    FinishDrains();
    return dropped;
  }
  // nullopt: refused or closed before.
  std::optional<uint64_t> Delete(bool if_unused, bool if_empty) {
    const uint64_t count = ready();
    if (closed || (if_unused && consumers() > 0) || (if_empty && count > 0)) {
      return std::nullopt;
    }
    Close("deleted");
    return count;
  }
  void Touch(absl::Time now) { last_use_ = now; }

  void OnTime(absl::Time now) {
    if (closed) return;
    std::vector<std::pair<absl::Time, uint64_t>> due;
    std::map<int, std::set<uint64_t>> lost;
    for (const Message& message : messages_) {
      if (IsOut(message) && message.deadline <= now) {
        due.emplace_back(message.deadline, message.delivery_id);
        lost[message.sink].insert(message.delivery_id);
      }
    }
    for (const auto& [sink, ids] : lost) Lose(sink, ids, "timeout");
    std::sort(due.begin(), due.end());
    std::map<std::pair<absl::Time, uint64_t>, Message*> ripe;
    for (Message& message : messages_) {
      if (message.delivery_id == kWaits && message.deadline <= now) {
        ripe[{message.deadline, message.returned}] = &message;
      }
    }
    for (auto& [when, message] : ripe) {
      message->delivery_id = 0;
      message->returned = ++last_return_;
    }
    for (const auto& [deadline, id] : due) {
      TakeBack(*FindOut(id), /*requeued=*/false, now);
    }
    DropOverLimit(now);
    Dispatch(now);
    if (!closed) SendLetters(now);
    if (!closed && consumers() == 0 && LeaseEnd() <= now) Close("expired");
  }

  // What a policy may change.
  void Apply(const Options& options, absl::Time now) {
    if (closed) return;
    if (options.expires != options_.expires) lease_start_ = now;
    options_ = options;
    if (!options_.keeps_letters) {
      for (const Letter& letter : letters_) {
        if (letter.state == Letter::kSent || !options_.dead_letters) continue;
        dead.push_back(absl::StrCat(letter.text, " 0"));
      }
      letters_.clear();
    }
    DropOverLimit(now);
    Dispatch(now);
  }
  const Options& options() const { return options_; }

  void Dispatch(absl::Time now) {
    do {
      DropExpired(now);
    } while (Head() != nullptr && OfferHead(now));
    FinishDrains();
  }

  uint64_t ready() const {
    return std::count_if(messages_.begin(), messages_.end(),
                         [](const Message& m) { return m.delivery_id == 0; });
  }
  uint64_t ready_bytes() const {
    uint64_t sum = 0;
    for (const Message& message : messages_) {
      if (message.delivery_id == 0) sum += message.body.size();
    }
    return sum;
  }
  uint64_t unacked() const {
    return std::count_if(messages_.begin(), messages_.end(), IsOut);
  }
  uint64_t bytes() const {
    uint64_t sum = letter_bytes();
    for (const Message& message : messages_) sum += message.body.size();
    return sum;
  }
  uint64_t letter_bytes() const {
    uint64_t sum = 0;
    for (const Letter& letter : letters_) sum += letter.bytes;
    return sum;
  }
  size_t consumers() const {
    return std::count_if(takers_.begin(), takers_.end(),
                         [](const Taker& t) { return t.id != 0; });
  }
  absl::Time next_wake() {
    if (closed) return absl::InfiniteFuture();
    absl::Time wake = consumers() == 0 ? LeaseEnd() : absl::InfiniteFuture();
    if (const Message* head = Head()) wake = std::min(wake, head->expires);
    for (const Message& message : messages_) {
      if (message.delivery_id != 0) wake = std::min(wake, message.deadline);
    }
    for (const Letter& letter : letters_) {
      if (letter.state == Letter::kFailed) wake = std::min(wake, letter.again);
    }
    return wake;
  }
  uint64_t last_delivery_id() const { return last_delivery_; }
  uint64_t last_consumer_id() const { return last_consumer_; }

  // What became of the letters sent so far: true, delivered.
  void OnFates(const std::map<uint64_t, bool>& fates, absl::Time now) {
    for (const auto& [id, delivered] : fates) {
      for (size_t i = 0; i < letters_.size(); ++i) {
        Letter& letter = letters_[i];
        if (letter.id != id || letter.state == Letter::kInLine) continue;
        letter.state = Letter::kFailed;
        letter.again = now + absl::Seconds(10);
        if (delivered) letters_.erase(letters_.begin() + i);
        break;
      }
    }
    SendLetters(now);
  }

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
  static bool IsOut(const Message& message) {
    return message.delivery_id != 0 && message.delivery_id != kWaits;
  }

  // A dead letter that is kept.
  struct Letter {
    uint64_t id = 0;
    std::string text;  // "body reason"
    uint64_t bytes = 0;
    enum { kInLine, kSent, kFailed } state = kInLine;
    absl::Time again;  // when it is sent anew
  };
  void SendLetters(absl::Time now) {
    size_t under_way = 0;
    for (Letter& letter : letters_) {
      if (letter.state != Letter::kInLine) ++under_way;
    }
    for (Letter& letter : letters_) {
      const bool again = letter.state == Letter::kFailed && letter.again <= now;
      const bool first = letter.state == Letter::kInLine && under_way < 32;
      if (!again && !first) continue;
      if (first) ++under_way;
      letter.state = Letter::kSent;
      dead.push_back(absl::StrCat(letter.text, " ", letter.id));
    }
  }

  // Whether a goes before b, which came later.
  static bool GoesBefore(const Message& a, const Message& b) {
    if (a.level != b.level) return a.level > b.level;
    if (a.returned != 0 && b.returned != 0) return a.returned < b.returned;
    return a.returned != 0 || b.returned == 0;
  }
  Message* Head() {
    Message* head = nullptr;
    for (Message& message : messages_) {
      if (message.delivery_id != 0) continue;
      if (head == nullptr || !GoesBefore(*head, message)) head = &message;
    }
    return head;
  }
  bool IsDuplicate(const std::string& key, absl::Time now) const {
    return !key.empty() && std::any_of(messages_.begin(), messages_.end(),
                                       [&](const Message& m) {
                                         return m.key == key && m.expires > now;
                                       });
  }
  Message* FindOut(uint64_t delivery_id) {
    for (Message& message : messages_) {
      if (message.delivery_id == delivery_id) return &message;
    }
    return nullptr;
  }
  absl::Time LeaseEnd() const {
    return std::max(last_use_, lease_start_) + options_.expires;
  }

  bool IsOver(uint64_t count, uint64_t bytes) const {
    return (options_.max_length && count > *options_.max_length) ||
           (options_.max_bytes && bytes > *options_.max_bytes);
  }
  void Die(const Message& message, const char* reason, absl::Time now) {
    if (!options_.dead_letters) return;
    const std::string text = absl::StrCat(message.body, " ", reason);
    if (!options_.keeps_letters) {
      dead.push_back(absl::StrCat(text, " 0"));
      return;
    }
    letters_.emplace_back();
    letters_.back().id = ++last_letter_;
    letters_.back().text = text;
    letters_.back().bytes = message.body.size();
    SendLetters(now);
  }
  void DropHead(const char* reason, absl::Time now) {
    Message* head = Head();
    Die(*head, reason, now);
    messages_.erase(messages_.begin() + (head - messages_.data()));
  }
  void DropExpired(absl::Time now) {
    while (Head() != nullptr && Head()->expires <= now) {
      DropHead("expired", now);
    }
  }
  void DropOverLimit(absl::Time now) {
    while (!options_.rejects && ready() > 0 && IsOver(ready(), ready_bytes())) {
      DropHead("maxlen", now);
    }
  }
  // Gives the head to whose turn it is; false: nobody can take it.
  bool OfferHead(absl::Time now) {
    Message* head = Head();
    Taker* taker = WhoseTurn(head->window_bytes);
    if (taker == nullptr) return false;
    const int sink = taker->options.sink;
    if (taker->id == 0) {  // a waiting get
      std::string got;
      if (head->encoded_bytes > taker->options.max_delivery_bytes) {
        got = absl::StrCat("needs ", head->encoded_bytes);
      } else {
        got = absl::StrCat(Send(*head, sink, 0, absl::InfiniteFuture()), " ");
        DropExpired(now);
      }
      answers.push_back(
          absl::StrCat(taker->wait_id, ": ", got, "left ", ready()));
      takers_.erase(takers_.begin() + (taker - takers_.data()));
    } else if (head->encoded_bytes > taker->options.max_delivery_bytes) {
      logs[sink].push_back(absl::StrCat("cancelled ", taker->options.key,
                                        " needs ", head->encoded_bytes));
      const uint64_t id = taker->id;
      RemoveTakers([id](const Taker& t) { return t.id == id; });
      AfterLeaving(now);
    } else if (room[sink] == 0) {
      taker->refused = true;
      Refresh(*taker);
    } else {
      --room[sink];
      absl::Duration timeout = options_.consumer_timeout;
      if (taker->options.timeout > absl::ZeroDuration()) {
        timeout = taker->options.timeout;
      }
      if (taker->options.auto_ack) timeout = absl::InfiniteDuration();
      logs[sink].push_back(
          absl::StrCat("delivered ", taker->options.key, " ",
                       Send(*head, sink, taker->id, now + timeout)));
      if (taker->options.manual_credit) --taker->credit;
      taker->turn = ++last_turn_;
    }
    return true;
  }

  // ---- Single active consumer ----

  Taker* FirstInLine() {
    Taker* first = nullptr;
    for (Taker& taker : takers_) {
      if (taker.id != 0 && (first == nullptr ||
                            taker.options.priority > first->options.priority)) {
        first = &taker;
      }
    }
    return first;
  }
  // Chooses the active consumer anew if that is due.
  void ChooseActive() {
    if (!options_.single_active || consumers() == 0) return;
    Taker* active = Find(active_);
    Taker* first = FirstInLine();
    if (active == nullptr) {
      active_ = first->id;
    } else if (MustYield(*active) && CountAndBytesOut(*active).first == 0) {
      active_ = first->id;
    } else {
      Refresh(*active);
      return;
    }
    Refresh(*first);
  }
  bool MustYield(const Taker& active) {
    return options_.quorum &&
           FirstInLine()->options.priority > active.options.priority;
  }
  bool StandsBy(const Taker& taker) {
    if (!options_.single_active || taker.id == 0) return false;
    return taker.id != active_ || MustYield(taker);
  }
  Taker* Find(uint64_t id) {
    for (Taker& taker : takers_) {
      if (taker.id == id && id != 0) return &taker;
    }
    return nullptr;
  }

  // Sums over what the taker has out.
  std::pair<uint64_t, uint64_t> CountAndBytesOut(const Taker& taker) const {
    uint64_t count = 0;
    uint64_t bytes = 0;
    for (const Message& message : messages_) {
      if (message.delivery_id != 0 && taker.id != 0 &&
          message.consumer == taker.id) {
        ++count;
        bytes += message.window_bytes;
      }
    }
    return {count, bytes};
  }
  bool CanTake(const Taker& taker) {
    const ConsumerOptions& o = taker.options;
    if (taker.paused || taker.refused || StandsBy(taker)) return false;
    if (o.manual_credit && taker.credit == 0) return false;
    return o.auto_ack || o.prefetch_count == 0 ||
           CountAndBytesOut(taker).first < o.prefetch_count;
  }
  bool Fits(const Taker& taker, uint64_t bytes) const {
    const auto [count, out] = CountAndBytesOut(taker);
    const ConsumerOptions& o = taker.options;
    return o.auto_ack || o.prefetch_bytes == 0 || count == 0 ||
           out + bytes <= o.prefetch_bytes;
  }
  // Gets in line, or leaves it.
  void Refresh(Taker& taker) {
    if (CanTake(taker) && taker.turn == 0) {
      taker.turn = ++last_turn_;
      taker.aside = false;
    }
  }
  Taker* WhoseTurn(uint64_t bytes) {
    std::set<int> priorities;
    for (const Taker& taker : takers_) {
      priorities.insert(-taker.options.priority);
    }
    for (int priority : priorities) {
      std::vector<Taker*> level;
      for (Taker& taker : takers_) {
        if (taker.options.priority == -priority && taker.turn != 0) {
          level.push_back(&taker);
        }
      }
      const auto by_turn = [](const Taker* a, const Taker* b) {
        return a->turn < b->turn;
      };
      std::sort(level.begin(), level.end(), by_turn);
      for (Taker* taker : level) {
        if (taker->aside && CanTake(*taker) && Fits(*taker, bytes)) {
          taker->aside = false;
          taker->turn = ++last_turn_;
        }
      }
      std::sort(level.begin(), level.end(), by_turn);
      for (Taker* taker : level) {
        if (taker->aside) continue;
        if (!CanTake(*taker)) {
          taker->turn = 0;
          continue;
        }
        if (Fits(*taker, bytes)) return taker;
        taker->aside = true;
        taker->turn = ++last_turn_;
      }
    }
    return nullptr;
  }

  std::string Send(Message& message, int sink, uint64_t consumer,
                   absl::Time deadline) {
    message.delivery_id = ++last_delivery_;
    message.sink = sink;
    message.consumer = consumer;
    message.deadline = deadline;
    return absl::StrCat(message.delivery_id, "=", message.body, "x",
                        message.count);
  }
  void Settled(Message& message) {
    message.delivery_id = 0;
    Taker* taker = Find(message.consumer);
    if (taker == nullptr) return;
    Refresh(*taker);
    if (taker->id == active_) ChooseActive();
  }
  void TakeBack(Message& message, bool requeued, absl::Time now) {
    ++message.count;
    message.returned = options_.quorum ? ++last_return_ : 0;
    Settled(message);
    if (options_.delivery_limit && message.count > *options_.delivery_limit) {
      Die(message, "delivery_limit", now);
      messages_.erase(messages_.begin() + (&message - messages_.data()));
      return;
    }
    const absl::Duration wait =
        std::min(options_.retry_min * message.count, options_.retry_max);
    if (wait > absl::ZeroDuration() &&
        (requeued || !options_.retry_requeued_alone)) {
      message.delivery_id = kWaits;
      message.consumer = 0;
      message.deadline = now + wait;
    }
  }

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
  void AfterLeaving(absl::Time now) {
    if (consumers() > 0) return ChooseActive();
    last_use_ = now;
    if (options_.auto_delete) Close("deleted");
  }
  void FinishDrains() {
    for (uint64_t id : std::vector<uint64_t>(draining_)) {
      Taker& taker = *Find(id);
      if (ready() > 0 && !(taker.options.manual_credit && taker.credit == 0)) {
        continue;
      }
      logs[taker.options.sink].push_back(
          absl::StrCat("drained ", taker.options.key, " ", taker.credit));
      taker.credit = 0;
      Refresh(taker);
      draining_.erase(std::find(draining_.begin(), draining_.end(), id));
    }
  }
  void Lose(int sink, const std::set<uint64_t>& ids, const char* why) {
    std::string line = absl::StrCat("lost ", why);
    for (uint64_t id : ids) absl::StrAppend(&line, " ", id);
    logs[sink].push_back(line);
  }
  void Close(const char* how) {
    closed = true;
    std::map<int, std::set<uint64_t>> lost;
    for (const Message& message : messages_) {
      if (IsOut(message)) {
        lost[message.sink].insert(message.delivery_id);
      }
    }
    for (const auto& [sink, ids] : lost) Lose(sink, ids, "deleted");
    std::set<uint64_t> waits;
    for (const Taker& taker : takers_) {
      if (taker.id != 0) {
        logs[taker.options.sink].push_back(
            absl::StrCat("cancelled ", taker.options.key, " ", how));
      } else {
        waits.insert(taker.wait_id);
      }
    }
    for (uint64_t wait_id : waits) {
      answers.push_back(absl::StrCat(wait_id, ": QUEUE_DELETED"));
    }
    messages_.clear();
    letters_.clear();
    takers_.clear();
    draining_.clear();
  }

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
