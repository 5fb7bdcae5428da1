#ifndef KELPMQ_SERVICE_RPC_SESSION_STATE_H_
#define KELPMQ_SERVICE_RPC_SESSION_STATE_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/rpc/sessions.h"

namespace kelpmq::service {

// One session, as Sessions keeps it; for sessions*.cc alone.
// All but `identity` is guarded by Sessions::mu_.
struct Sessions::Session {
  struct Identity {
    std::string id;
    std::string ref;
    SessionInfo info;
    absl::Duration ttl;
    bool bound_to_watch = false;
    absl::Time open_time;
  };
  struct User {
    SessionUse use;
    std::weak_ptr<SessionUser> user;
  };

  explicit Session(Identity identity) : identity(std::move(identity)) {}

  size_t CountOf(SessionUse use) const {
    return counts[static_cast<size_t>(use)];
  }
  size_t StreamCount() const {
    return CountOf(SessionUse::kWatch) + CountOf(SessionUse::kStream);
  }
  bool KeptAlive() const { return StreamCount() > 0; }
  uint64_t Add(SessionUse use, std::weak_ptr<SessionUser> user) {
    ++counts[static_cast<size_t>(use)];
    users.emplace(++last_number, User{use, std::move(user)});
    return last_number;
  }
  std::optional<SessionUse> Remove(uint64_t number) {
    auto it = users.find(number);
    if (it == users.end()) return std::nullopt;
    const SessionUse use = it->second.use;
    --counts[static_cast<size_t>(use)];
    users.erase(it);
    return use;
  }
  std::vector<std::shared_ptr<SessionUser>> LiveUsers() const {
    std::vector<std::shared_ptr<SessionUser>> live;
    for (const auto& [number, user] : users) {
      if (auto alive = user.user.lock()) live.push_back(std::move(alive));
    }
    return live;
  }

  const Identity identity;
  absl::Time expire_time;
  // A timer is set, or about to be. Renewing does not move it: it looks at
  // expire_time when it fires.
  bool timer_set = false;
  TimerQueue::TimerId timer = TimerQueue::kNoTimer;
  uint64_t last_number = 0;
  std::map<uint64_t, User> users;
  std::array<size_t, kSessionUseCount> counts{};  // of users, by use

  bool ending = false;
  std::vector<absl::AnyInvocable<void(const Ended&)>> end_waiters;
  // Goes on with the end once no request uses the session any more.
  Closure when_no_request;
  std::optional<Ended> ended;
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_SESSION_STATE_H_
