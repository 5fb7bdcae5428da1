#include "service/queue/kept_letters.h"

#include <algorithm>
#include <utility>

namespace kelpmq::service {

void KeptLetters::Add(DeadMessage dead) {
  dead.letter_id = ++last_id_;
  bytes_ += dead.message->marks().payload_bytes;
  waiting_.push_back(std::move(dead));
}

void KeptLetters::OnFates(absl::Span<const LetterFate> fates, absl::Time now) {
  for (const LetterFate& fate : fates) {
    const auto it = under_way_.find(fate.letter_id);
    if (it == under_way_.end()) continue;  // let go of meanwhile
    if (fate.delivered) {
      bytes_ -= it->second.dead.message->marks().payload_bytes;
      under_way_.erase(it);
    } else {
      it->second.dead.reached = fate.reached;
      it->second.next_attempt = now + kRetryAfter;
    }
  }
}

void KeptLetters::TakeDue(absl::Time now, std::vector<DeadMessage>* due) {
  for (auto& [id, letter] : under_way_) {
    if (letter.next_attempt > now) continue;
    letter.next_attempt = absl::InfiniteFuture();
    due->push_back(letter.dead);
  }
  while (!waiting_.empty() && under_way_.size() < kMaxUnderWay) {
    due->push_back(waiting_.front());
    under_way_.emplace_hint(
        under_way_.end(), waiting_.front().letter_id,
        UnderWay{std::move(waiting_.front()), absl::InfiniteFuture()});
    waiting_.pop_front();
  }
}

absl::Time KeptLetters::next_attempt() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [id, letter] : under_way_) {
    next = std::min(next, letter.next_attempt);
  }
  return next;
}

void KeptLetters::LetGo(std::vector<DeadMessage>* letters) {
  for (auto& [id, letter] : under_way_) {
    // One that is being published is beyond recall.
    if (letter.next_attempt == absl::InfiniteFuture()) continue;
    letters->push_back(std::move(letter.dead));
    letters->back().letter_id = 0;
  }
  for (DeadMessage& dead : waiting_) {
    letters->push_back(std::move(dead));
    letters->back().letter_id = 0;
  }
  Clear();
}

void KeptLetters::Clear() {
  under_way_.clear();
  waiting_.clear();
  bytes_ = 0;
}

}  // namespace kelpmq::service
