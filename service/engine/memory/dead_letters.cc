#include "service/engine/memory/dead_letters.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "service/queue/dead_letter.h"
#include "service/queue/queue.h"

namespace kelpmq::service {
namespace {

// A letter with an id, on its way. Until it is refused somewhere it counts as
// delivered to all of `reached`.
struct Tracked {
  uint32_t index;  // of the letter
  LetterFate fate;
};

// Whom of `queues` the letter is for. What it has been to, or would come round
// to, counts as reached.
std::vector<TargetId> TargetsOf(const DeadLetter& letter, const Routes& routes,
                                const Router& router, Tracked* tracked) {
  std::vector<TargetId> targets;
  const ResolvedTargets queues = router.Resolve(routes.targets);
  const DeathHistory history(*letter.message);
  for (size_t i = 0; i < queues.size(); ++i) {
    // The vhost gives its router nothing but queues.
    const auto* const queue = static_cast<const Queue*>(queues[i].get());
    if (queue == nullptr || history.IsCycle(queue->name())) continue;
    if (tracked != nullptr) {
      std::vector<std::string>& reached = tracked->fate.reached;
      if (std::find(reached.begin(), reached.end(), queue->name()) !=
          reached.end()) {
        continue;
      }
      reached.push_back(queue->name());
    }
    targets.push_back(routes.targets[i]);
  }
  return targets;
}

// Takes out of the fates what queues have refused.
std::vector<LetterFate> FatesOf(std::vector<Tracked> tracked,
                                const std::vector<Refusal>& refusals) {
  std::vector<LetterFate> fates;
  fates.reserve(tracked.size());
  for (Tracked& letter : tracked) {
    for (const Refusal& refusal : refusals) {
      if (std::find(refusal.indexes.begin(), refusal.indexes.end(),
                    letter.index) == refusal.indexes.end()) {
        continue;
      }
      letter.fate.delivered = false;
      std::vector<std::string>& reached = letter.fate.reached;
      reached.erase(std::remove(reached.begin(), reached.end(), refusal.queue),
                    reached.end());
    }
    fates.push_back(std::move(letter.fate));
  }
  return fates;
}

}  // namespace

void PublishDeadLetters(
    const PublishPath& path, std::vector<DeadLetter> letters,
    absl::AnyInvocable<void(std::vector<LetterFate>)> done) {
  Departures departures(path, letters.size());
  Routes routes;
  std::vector<uint32_t> shares;
  std::vector<Tracked> tracked;
  for (uint32_t i = 0; i < letters.size(); ++i) {
    DeadLetter& letter = letters[i];
    routes.clear();
    shares.clear();
    path.router.RouteFrom(letter.message->exchange(), *letter.message, &routes);
    Tracked* fate = nullptr;
    if (letter.id != 0) {
      // One that only goes round in circles ends there, as any other does.
      tracked.push_back(
          {i, {letter.id, !routes.empty(), std::move(letter.reached)}});
      fate = &tracked.back();
    }
    for (const TargetId target : TargetsOf(letter, routes, path.router, fate)) {
      shares.push_back(departures.ShareOf(target));
    }
    if (!routes.holders.empty()) {
      departures.KeepFor(routes.holders, letter.message);
    }
    departures.Send(std::move(letter.message), i, shares);
  }
  // What a full queue refuses is lost unless its queue keeps it: there is no
  // publisher to tell.
  std::move(departures)
      .Leave([tracked = std::move(tracked),
              done = std::move(done)](std::vector<Refusal> refusals) mutable {
        std::move(done)(FatesOf(std::move(tracked), refusals));
      });
}

}  // namespace kelpmq::service
