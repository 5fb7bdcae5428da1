// The messages of a NaiveQueue: how they come, come back, die and leave.

#include "tests/model/naive_queue.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace kelpmq::service::testing {

std::vector<uint32_t> NaiveQueue::Publish(const std::vector<Publication>& batch,
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

std::vector<uint64_t> NaiveQueue::Settle(SettleAction action,
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

uint64_t NaiveQueue::Release(int sink, absl::Time now) {
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

uint64_t NaiveQueue::Purge() {
  const uint64_t dropped = ready();
  messages_.erase(
      std::remove_if(messages_.begin(), messages_.end(),
                     [](const Message& m) { return m.delivery_id == 0; }),
      messages_.end());
  for (Message& message : messages_) message.key.clear();
  FinishDrains();
  return dropped;
}

std::optional<uint64_t> NaiveQueue::Delete(bool if_unused, bool if_empty) {
  const uint64_t count = ready();
  if (options_.quorum && (if_unused || if_empty)) return std::nullopt;
  if (closed || (if_unused && consumers() > 0) || (if_empty && count > 0)) {
    return std::nullopt;
  }
  Close("deleted");
  return count;
}

void NaiveQueue::OnTime(absl::Time now) {
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

void NaiveQueue::Apply(const Options& options, absl::Time now) {
  if (closed) return;
  if (options.expires != options_.expires) lease_start_ = now;
  const bool rejected = options_.rejects;
  options_ = Effective(options);
  if (!options_.keeps_letters) {
    for (const Letter& letter : letters_) {
      if (letter.state == Letter::kSent || !options_.dead_letters) continue;
      dead.push_back(absl::StrCat(letter.text, " 0"));
    }
    letters_.clear();
  }
  // A classic queue takes the limit first, then what to do about it.
  const bool rejects = options_.rejects;
  if (!options_.quorum) options_.rejects = rejected;
  DropOverLimit(now);
  options_.rejects = rejects;
  DropOverLimit(now);
  Dispatch(now);
}

uint64_t NaiveQueue::ready() const {
  return std::count_if(messages_.begin(), messages_.end(),
                       [](const Message& m) { return m.delivery_id == 0; });
}

uint64_t NaiveQueue::ready_bytes() const {
  uint64_t sum = 0;
  for (const Message& message : messages_) {
    if (message.delivery_id == 0) sum += message.body.size();
  }
  return sum;
}

uint64_t NaiveQueue::unacked() const {
  return std::count_if(messages_.begin(), messages_.end(), IsOut);
}

uint64_t NaiveQueue::bytes() const {
  uint64_t sum = letter_bytes();
  for (const Message& message : messages_) sum += message.body.size();
  return sum;
}

uint64_t NaiveQueue::letter_bytes() const {
  uint64_t sum = 0;
  for (const Letter& letter : letters_) sum += letter.bytes;
  return sum;
}

absl::Time NaiveQueue::next_wake() {
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

void NaiveQueue::OnFates(const std::map<uint64_t, bool>& fates,
                         absl::Time now) {
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

bool NaiveQueue::IsOut(const Message& message) {
  return message.delivery_id != 0 && message.delivery_id != kWaits;
}

void NaiveQueue::SendLetters(absl::Time now) {
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

bool NaiveQueue::GoesBefore(const Message& a, const Message& b) {
  if (a.level != b.level) return a.level > b.level;
  if (a.returned != 0 && b.returned != 0) return a.returned < b.returned;
  return a.returned != 0 || b.returned == 0;
}

NaiveQueue::Message* NaiveQueue::Head() {
  Message* head = nullptr;
  for (Message& message : messages_) {
    if (message.delivery_id != 0) continue;
    if (head == nullptr || !GoesBefore(*head, message)) head = &message;
  }
  return head;
}

bool NaiveQueue::IsDuplicate(const std::string& key, absl::Time now) const {
  return !key.empty() &&
         std::any_of(messages_.begin(), messages_.end(), [&](const Message& m) {
           return m.key == key && m.expires > now;
         });
}

NaiveQueue::Message* NaiveQueue::FindOut(uint64_t delivery_id) {
  for (Message& message : messages_) {
    if (message.delivery_id == delivery_id) return &message;
  }
  return nullptr;
}

absl::Time NaiveQueue::LeaseEnd() const {
  return std::max(last_use_, lease_start_) + options_.expires;
}

bool NaiveQueue::IsOver(uint64_t count, uint64_t bytes) const {
  return (options_.max_length && count > *options_.max_length) ||
         (options_.max_bytes && bytes > *options_.max_bytes);
}

void NaiveQueue::Die(const Message& message, const char* reason,
                     absl::Time now) {
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

void NaiveQueue::DropHead(const char* reason, absl::Time now) {
  Message* head = Head();
  Die(*head, reason, now);
  messages_.erase(messages_.begin() + (head - messages_.data()));
}

void NaiveQueue::DropExpired(absl::Time now) {
  while (Head() != nullptr && Head()->expires <= now) {
    DropHead("expired", now);
  }
}

void NaiveQueue::DropOverLimit(absl::Time now) {
  while (!options_.rejects && ready() > 0 && IsOver(ready(), ready_bytes())) {
    DropHead("maxlen", now);
  }
}

void NaiveQueue::Settled(Message& message) {
  message.delivery_id = 0;
  Taker* taker = Find(message.consumer);
  if (taker == nullptr) return;
  Refresh(*taker);
  if (taker->id == active_) ChooseActive();
}

void NaiveQueue::TakeBack(Message& message, bool requeued, absl::Time now) {
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

void NaiveQueue::Lose(int sink, const std::set<uint64_t>& ids,
                      const char* why) {
  std::string line = absl::StrCat("lost ", why);
  for (uint64_t id : ids) absl::StrAppend(&line, " ", id);
  logs[sink].push_back(line);
}

void NaiveQueue::Close(const char* how) {
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
}  // namespace kelpmq::service::testing
