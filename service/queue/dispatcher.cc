#include "service/queue/dispatcher.h"

#include <algorithm>
#include <limits>

namespace kelpmq::service {

void Dispatcher::Add(Taker* taker) {
  taker->level_ = &levels_[taker->priority];
  ++taker->level_->taker_count;
  resting_.push_back(taker);
  taker->line_ = &resting_;
  taker->place_ = std::prev(resting_.end());
  Update(taker);
}

void Dispatcher::Remove(Taker* taker) {
  taker->line_->erase(taker->place_);
  taker->line_ = nullptr;
  if (--taker->level_->taker_count == 0) levels_.erase(taker->priority);
  taker->level_ = nullptr;
}

void Dispatcher::Update(Taker* taker) {
  // Who has lost its room keeps its place until its turn comes: it may have
  // room again by then.
  if (!CanTake(*taker)) return;
  Level& level = *taker->level_;
  if (taker->line_ == &resting_) {
    Move(taker, &level.turns);
  } else if (taker->line_ == &level.aside) {
    level.max_room_aside = std::max(level.max_room_aside, ByteRoom(*taker));
  }
}

Taker* Dispatcher::Next(size_t bytes) {
  for (auto& [priority, level] : levels_) {
    Readmit(&level, bytes);
    while (!level.turns.empty()) {
      Taker* taker = level.turns.front();
      if (!CanTake(*taker)) {
        Move(taker, &resting_);
        continue;
      }
      const uint64_t room = ByteRoom(*taker);
      if (room >= bytes) return taker;
      level.max_room_aside = std::max(level.max_room_aside, room);
      Move(taker, &level.aside);
    }
  }
  return nullptr;
}

void Dispatcher::Took(Taker* taker, size_t bytes) {
  ++taker->unacked_count;
  taker->unacked_bytes += bytes;
  if (taker->manual_credit) --taker->credit;
  Move(taker, taker->line_);
}

void Dispatcher::Settled(Taker* taker, size_t bytes) {
  --taker->unacked_count;
  taker->unacked_bytes -= bytes;
  Update(taker);
}

bool Dispatcher::CanTake(const Taker& taker) {
  if (taker.paused || taker.refused || taker.stands_by) return false;
  if (taker.manual_credit && taker.credit == 0) return false;
  return taker.ignores_window || taker.prefetch_count == 0 ||
         taker.unacked_count < taker.prefetch_count;
}

uint64_t Dispatcher::ByteRoom(const Taker& taker) {
  if (taker.ignores_window || taker.prefetch_bytes == 0 ||
      taker.unacked_count == 0) {
    return std::numeric_limits<uint64_t>::max();
  }
  return taker.prefetch_bytes -
         std::min(taker.prefetch_bytes, taker.unacked_bytes);
}

void Dispatcher::Move(Taker* taker, Line* to) {
  to->splice(to->end(), *taker->line_, taker->place_);
  taker->line_ = to;
}

void Dispatcher::Readmit(Level* level, size_t bytes) {
  if (level->aside.empty() || level->max_room_aside < bytes) return;
  level->max_room_aside = 0;
  for (auto it = level->aside.begin(); it != level->aside.end();) {
    Taker* taker = *it++;
    if (!CanTake(*taker)) continue;  // Update tells when it can
    const uint64_t room = ByteRoom(*taker);
    if (room >= bytes) {
      Move(taker, &level->turns);
    } else {
      level->max_room_aside = std::max(level->max_room_aside, room);
    }
  }
}

}  // namespace kelpmq::service
