#include "client/cpp/src/publish_ledger.h"

#include <algorithm>
#include <iterator>

#include "client/cpp/src/call_status.h"
#include "kelpmq/error.h"

namespace kelpmq::client {
namespace {

// Requests under way before messages gather. Enough for the broker never to
// run dry between two of them.
constexpr size_t kMaxSmallRequests = 4;

absl::Status LostError() {
  return MakeError(
      absl::StatusCode::kUnknown, kConfirmLost,
      "the stream broke before the confirm came: the broker may have the "
      "message or not");
}

}  // namespace

bool PublishLedger::HasRoom(size_t bytes) const {
  return messages_ == 0 || (messages_ < limits_.window_messages &&
                            bytes_ + bytes <= limits_.window_bytes);
}

void PublishLedger::Add(std::string encoded, Entry entry) {
  const size_t size = encoded.size();
  if (unsent_.empty() ||
      unsent_.back().entries.size() >= limits_.batch_messages ||
      unsent_.back().bytes + size > limits_.batch_bytes) {
    unsent_.emplace_back();
    unsent_.back().encoded = std::move(encoded);
  } else {
    // Encoded messages that follow each other are one, with the items of both.
    unsent_.back().encoded += encoded;
  }
  unsent_.back().bytes += size;
  unsent_.back().entries.push_back(std::move(entry));
  ++messages_;
  bytes_ += size;
}

std::optional<std::string> PublishLedger::TakeBatch() {
  if (unsent_.empty()) return std::nullopt;
  if (unsent_.size() == 1 && sent_.size() >= kMaxSmallRequests) {
    const Batch& gathering = unsent_.front();
    // Half full is worth a request; waiting for more would leave gaps.
    if (gathering.entries.size() * 2 < limits_.batch_messages &&
        gathering.bytes * 2 < limits_.batch_bytes) {
      return std::nullopt;
    }
  }
  sent_.push_back(std::move(unsent_.front()));
  unsent_.pop_front();
  if (limits_.resend) return sent_.back().encoded;
  return std::move(sent_.back().encoded);
}

PublishLedger::Outcomes PublishLedger::OnResponse(
    const v1::PublishStreamResponse& response) {
  Outcomes outcomes;
  // Failures first: the confirm of their batch forgets it.
  for (const v1::PublishFailure& failure : response.failures()) {
    const uint64_t place = failure.sequence() - first_sent_;
    if (place >= sent_.size()) continue;
    sent_[place].failures.emplace_back(failure.index(), StatusOf(failure));
  }
  for (const v1::TagRange& range : response.confirmed()) {
    const uint64_t first = std::max(range.first(), first_sent_);
    // Walks what is out, not the range: a broker may say anything.
    for (uint64_t place = first - first_sent_;
         place < sent_.size() && first_sent_ + place <= range.last(); ++place) {
      if (!sent_[place].confirmed) Confirm(&sent_[place], &outcomes);
    }
  }
  while (!sent_.empty() && sent_.front().confirmed) {
    sent_.pop_front();
    ++first_sent_;
  }
  return outcomes;
}

void PublishLedger::Confirm(Batch* batch, Outcomes* outcomes) {
  batch->confirmed = true;
  Forget(*batch);
  const size_t before = outcomes->size();
  for (Entry& entry : batch->entries) {
    outcomes->push_back({std::move(entry), absl::OkStatus()});
  }
  for (auto& [index, status] : batch->failures) {
    if (index < batch->entries.size()) {
      (*outcomes)[before + index].status = std::move(status);
    }
  }
}

void PublishLedger::Forget(const Batch& batch) {
  messages_ -= batch.entries.size();
  bytes_ -= batch.bytes;
}

PublishLedger::Outcomes PublishLedger::OnStreamLost() {
  Outcomes outcomes;
  if (limits_.resend) {
    sent_.erase(
        std::remove_if(sent_.begin(), sent_.end(),
                       [](const Batch& batch) { return batch.confirmed; }),
        sent_.end());
    for (Batch& batch : sent_) batch.failures.clear();
    unsent_.insert(unsent_.begin(), std::make_move_iterator(sent_.begin()),
                   std::make_move_iterator(sent_.end()));
    sent_.clear();
  } else {
    EndAll(&sent_, LostError(), &outcomes);
  }
  first_sent_ = 1;
  return outcomes;
}

PublishLedger::Outcomes PublishLedger::GiveUp(const absl::Status& unsent) {
  Outcomes outcomes;
  EndAll(&sent_, LostError(), &outcomes);
  EndAll(&unsent_, unsent, &outcomes);
  return outcomes;
}

void PublishLedger::EndAll(std::deque<Batch>* batches,
                           const absl::Status& status, Outcomes* outcomes) {
  for (Batch& batch : *batches) {
    if (batch.confirmed) continue;
    Forget(batch);
    for (Entry& entry : batch.entries) {
      outcomes->push_back({std::move(entry), status});
    }
  }
  batches->clear();
}

}  // namespace kelpmq::client
