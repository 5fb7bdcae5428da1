// Who takes the messages of a NaiveQueue, and when it is whose turn.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/model/naive_queue.h"

namespace kelpmq::service::testing {

std::string NaiveQueue::Get(int sink, uint32_t max_messages, size_t max_bytes,
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
    absl::StrAppend(&got, Send(*Head(), sink, 0, absl::InfiniteFuture()), " ");
    DropExpired(now);
  }
  absl::StrAppend(&got, "left ", ready());
  Dispatch(now);
  return got;
}

void NaiveQueue::EndGetWait(uint64_t wait_id) {
  RemoveTakers([wait_id](const Taker& t) { return t.wait_id == wait_id; });
}

std::optional<uint64_t> NaiveQueue::Consume(const ConsumerOptions& options,
                                            absl::Time now) {
  if (closed) return std::nullopt;
  if (options.exclusive && options_.single_active && !options_.quorum) {
    return std::nullopt;
  }
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

void NaiveQueue::Cancel(uint64_t id, absl::Time now) {
  if (Find(id) == nullptr) return;
  RemoveTakers([id](const Taker& t) { return t.id == id; });
  AfterLeaving(now);
  if (!closed) Dispatch(now);
}

void NaiveQueue::Grant(uint64_t id, uint32_t credit, bool drain,
                       absl::Time now) {
  Update(id, now, [&](Taker& taker) {
    if (taker.options.manual_credit) taker.credit += credit;
    if (drain && std::count(draining_.begin(), draining_.end(), id) == 0) {
      draining_.push_back(id);
    }
  });
}

void NaiveQueue::Dispatch(absl::Time now) {
  do {
    DropExpired(now);
  } while (Head() != nullptr && OfferHead(now));
  FinishDrains();
}

size_t NaiveQueue::consumers() const {
  return std::count_if(takers_.begin(), takers_.end(),
                       [](const Taker& t) { return t.id != 0; });
}

bool NaiveQueue::OfferHead(absl::Time now) {
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

NaiveQueue::Taker* NaiveQueue::FirstInLine() {
  Taker* first = nullptr;
  for (Taker& taker : takers_) {
    if (taker.id != 0 && (first == nullptr ||
                          taker.options.priority > first->options.priority)) {
      first = &taker;
    }
  }
  return first;
}

void NaiveQueue::ChooseActive() {
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

bool NaiveQueue::MustYield(const Taker& active) {
  return options_.quorum &&
         FirstInLine()->options.priority > active.options.priority;
}

bool NaiveQueue::StandsBy(const Taker& taker) {
  if (!options_.single_active || taker.id == 0) return false;
  return taker.id != active_ || MustYield(taker);
}

NaiveQueue::Taker* NaiveQueue::Find(uint64_t id) {
  for (Taker& taker : takers_) {
    if (taker.id == id && id != 0) return &taker;
  }
  return nullptr;
}

std::pair<uint64_t, uint64_t> NaiveQueue::CountAndBytesOut(
    const Taker& taker) const {
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

bool NaiveQueue::CanTake(const Taker& taker) {
  const ConsumerOptions& o = taker.options;
  if (taker.paused || taker.refused || StandsBy(taker)) return false;
  if (o.manual_credit && taker.credit == 0) return false;
  return o.auto_ack || o.prefetch_count == 0 ||
         CountAndBytesOut(taker).first < o.prefetch_count;
}

bool NaiveQueue::Fits(const Taker& taker, uint64_t bytes) const {
  const auto [count, out] = CountAndBytesOut(taker);
  const ConsumerOptions& o = taker.options;
  return o.auto_ack || o.prefetch_bytes == 0 || count == 0 ||
         out + bytes <= o.prefetch_bytes;
}

void NaiveQueue::Refresh(Taker& taker) {
  if (CanTake(taker) && taker.turn == 0) {
    taker.turn = ++last_turn_;
    taker.aside = false;
  }
}

NaiveQueue::Taker* NaiveQueue::WhoseTurn(uint64_t bytes) {
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

std::string NaiveQueue::Send(Message& message, int sink, uint64_t consumer,
                             absl::Time deadline) {
  message.delivery_id = ++last_delivery_;
  message.sink = sink;
  message.consumer = consumer;
  message.deadline = deadline;
  return absl::StrCat(message.delivery_id, "=", message.body, "x",
                      message.count);
}

void NaiveQueue::AfterLeaving(absl::Time now) {
  if (consumers() > 0) return ChooseActive();
  last_use_ = now;
  if (options_.auto_delete) Close("deleted");
}

void NaiveQueue::FinishDrains() {
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
}  // namespace kelpmq::service::testing
