#include "service/rpc/stream_registry.h"

#include <utility>

namespace kelpmq::service {

void StreamRegistry::Add(const std::shared_ptr<RegisteredStream>& stream,
                         DuringDrain during_drain) {
  State state;
  absl::Time deadline;
  {
    MutexLock lock(&mu_);
    streams_[stream.get()] = Entry{stream, during_drain};
    state = state_;
    deadline = deadline_;
  }
  if (state != State::kOpen) stream->Drain(deadline);
  if (state == State::kEnding) stream->EndForDrain();
}

void StreamRegistry::Remove(const RegisteredStream* stream) {
  MutexLock lock(&mu_);
  streams_.erase(stream);
}

void StreamRegistry::DrainAll(absl::Time deadline) {
  std::vector<std::shared_ptr<RegisteredStream>> live;
  {
    MutexLock lock(&mu_);
    if (state_ != State::kOpen) return;
    state_ = State::kDraining;
    deadline_ = deadline;
    live = Live();
  }
  for (const auto& stream : live) stream->Drain(deadline);
}

void StreamRegistry::EndAllForDrain() {
  std::vector<std::shared_ptr<RegisteredStream>> live;
  {
    MutexLock lock(&mu_);
    state_ = State::kEnding;
    live = Live();
  }
  for (const auto& stream : live) stream->EndForDrain();
}

void StreamRegistry::EndVhost(absl::string_view vhost) {
  std::vector<std::shared_ptr<RegisteredStream>> live;
  {
    MutexLock lock(&mu_);
    live = Live();
  }
  for (const auto& stream : live) stream->EndVhost(vhost);
}

void StreamRegistry::AlarmChanged() {
  std::vector<std::shared_ptr<RegisteredStream>> live;
  {
    MutexLock lock(&mu_);
    live = Live();
  }
  for (const auto& stream : live) stream->AlarmChanged();
}

void StreamRegistry::RecheckAccess() {
  std::vector<std::shared_ptr<RegisteredStream>> live;
  {
    MutexLock lock(&mu_);
    live = Live();
  }
  for (const auto& stream : live) stream->RecheckAccess();
}

size_t StreamRegistry::WaitedForCount() const {
  MutexLock lock(&mu_);
  size_t count = 0;
  for (const auto& [key, entry] : streams_) {
    if (entry.during_drain == DuringDrain::kWaitFor &&
        !entry.stream.expired()) {
      ++count;
    }
  }
  return count;
}

std::vector<std::shared_ptr<RegisteredStream>> StreamRegistry::Live() const {
  std::vector<std::shared_ptr<RegisteredStream>> live;
  live.reserve(streams_.size());
  for (const auto& [key, entry] : streams_) {
    if (auto stream = entry.stream.lock()) live.push_back(std::move(stream));
  }
  return live;
}

}  // namespace kelpmq::service
