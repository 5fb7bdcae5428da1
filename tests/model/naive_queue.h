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
  struct Options {
    bool auto_delete = false;
    absl::Duration expires = absl::InfiniteDuration();
    absl::Duration consumer_timeout = absl::InfiniteDuration();
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

  void Publish(std::string body, size_t window_bytes, size_t encoded_bytes) {
    if (closed) return;
    Message message;
    message.body = std::move(body);
    message.window_bytes = window_bytes;
    message.encoded_bytes = encoded_bytes;
    messages_.push_back(std::move(message));
  }

  // "waits", or what it got.
  std::string Get(int sink, uint32_t max_messages, size_t max_bytes,
                  uint64_t wait_id, absl::Time now) {
    if (closed) return "QUEUE_DELETED";
    last_use_ = now;
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
    for (const Taker& taker : takers_) {
      if (taker.id != 0 && (options.exclusive || taker.options.exclusive)) {
        return std::nullopt;
      }
    }
    Taker taker;
    taker.id = ++last_consumer_;
    taker.options = options;
    takers_.push_back(taker);
    Refresh(takers_.back());
    Dispatch(now);
    return taker.id;
  }
  void Cancel(uint64_t id, absl::Time now) {
    if (Find(id) == nullptr) return;
    RemoveTakers([id](const Taker& t) { return t.id == id; });
    AfterLeaving(now);
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
        TakeBack(*it);
      } else {
        Settled(*it);
        messages_.erase(it);
      }
    }
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
    uint64_t requeued = 0;
    for (Message& message : messages_) {
      if (message.delivery_id != 0 && message.sink == sink) {
        TakeBack(message);
        ++requeued;
      }
    }
    const size_t before = takers_.size();
    RemoveTakers([sink](const Taker& t) { return t.options.sink == sink; });
    if (takers_.size() < before) AfterLeaving(now);
    if (closed) return 0;
    Dispatch(now);
    return requeued;
  }

  uint64_t Purge() {
    const uint64_t dropped = ready();
    messages_.erase(
        std::remove_if(messages_.begin(), messages_.end(),
                       [](const Message& m) { return m.delivery_id == 0; }),
        messages_.end());
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
      if (message.delivery_id != 0 && message.deadline <= now) {
        due.emplace_back(message.deadline, message.delivery_id);
        lost[message.sink].insert(message.delivery_id);
      }
    }
    for (const auto& [sink, ids] : lost) Lose(sink, ids, "timeout");
    std::sort(due.begin(), due.end());
    for (const auto& [deadline, id] : due) {
      for (Message& message : messages_) {
        if (message.delivery_id == id) TakeBack(message);
      }
    }
    Dispatch(now);
    if (!closed && consumers() == 0 && last_use_ + options_.expires <= now) {
      Close("expired");
    }
  }

  void Dispatch(absl::Time now) {
    while (Message* head = Head()) {
      Taker* taker = WhoseTurn(head->window_bytes);
      if (taker == nullptr) break;
      const int sink = taker->options.sink;
      if (taker->id == 0) {  // a waiting get
        std::string got;
        if (head->encoded_bytes > taker->options.max_delivery_bytes) {
          got = absl::StrCat("needs ", head->encoded_bytes);
        } else {
          got = absl::StrCat(Send(*head, sink, 0, absl::InfiniteFuture()), " ");
        }
        answers.push_back(
            absl::StrCat(taker->wait_id, ": ", got, "left ", ready()));
        takers_.erase(takers_.begin() + (taker - takers_.data()));
      } else if (head->encoded_bytes > taker->options.max_delivery_bytes) {
        logs[sink].push_back(absl::StrCat("cancelled ", taker->options.key,
                                          " needs ", head->encoded_bytes));
        Cancel(taker->id, now);
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
    }
    FinishDrains();
  }

  uint64_t ready() const {
    return std::count_if(messages_.begin(), messages_.end(),
                         [](const Message& m) { return m.delivery_id == 0; });
  }
  uint64_t unacked() const { return messages_.size() - ready(); }
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const Message& message : messages_) sum += message.body.size();
    return sum;
  }
  size_t consumers() const {
    return std::count_if(takers_.begin(), takers_.end(),
                         [](const Taker& t) { return t.id != 0; });
  }
  absl::Time next_wake() const {
    if (closed) return absl::InfiniteFuture();
    absl::Time wake = consumers() == 0 ? last_use_ + options_.expires
                                       : absl::InfiniteFuture();
    for (const Message& message : messages_) {
      if (message.delivery_id != 0) wake = std::min(wake, message.deadline);
    }
    return wake;
  }
  uint64_t last_delivery_id() const { return last_delivery_; }
  uint64_t last_consumer_id() const { return last_consumer_; }

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
    size_t window_bytes = 0;
    size_t encoded_bytes = 0;
    uint32_t count = 0;
    uint64_t delivery_id = 0;  // 0: ready
    int sink = 0;
    uint64_t consumer = 0;
    absl::Time deadline;
  };

  Message* Head() {
    for (Message& message : messages_) {
      if (message.delivery_id == 0) return &message;
    }
    return nullptr;
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
  bool CanTake(const Taker& taker) const {
    const ConsumerOptions& o = taker.options;
    if (taker.paused || taker.refused) return false;
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
        if (taker->aside && Fits(*taker, bytes)) {
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
    if (Taker* taker = Find(message.consumer)) Refresh(*taker);
  }
  void TakeBack(Message& message) {
    ++message.count;
    Settled(message);
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
    if (consumers() > 0) return;
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
      if (message.delivery_id != 0) {
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
    takers_.clear();
    draining_.clear();
  }

  const Options options_;
  std::vector<Message> messages_;  // in the order they were published
  std::vector<Taker> takers_;      // in the order they came
  std::vector<uint64_t> draining_;
  uint64_t last_turn_ = 0;
  uint64_t last_delivery_ = 0;
  uint64_t last_consumer_ = 0;
  absl::Time last_use_;
};

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_MODEL_NAIVE_QUEUE_H_
