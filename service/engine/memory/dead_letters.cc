#include "service/engine/memory/dead_letters.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "service/queue/dead_letter.h"
#include "service/queue/queue.h"

namespace kelpmq::service {

void PublishDeadLetters(const PublishPath& path,
                        std::vector<MessageRef> letters, Closure done) {
  Departures departures(path, letters.size());
  Routes routes;
  std::vector<uint32_t> shares;
  for (MessageRef& letter : letters) {
    routes.clear();
    shares.clear();
    path.router.RouteFrom(letter->exchange(), *letter, &routes);
    const ResolvedTargets queues = path.router.Resolve(routes.targets);
    const DeathHistory history(*letter);
    for (size_t i = 0; i < queues.size(); ++i) {
      // The vhost gives its router nothing but queues.
      const auto* const queue = static_cast<const Queue*>(queues[i].get());
      if (queue == nullptr || history.IsCycle(queue->name())) continue;
      shares.push_back(departures.ShareOf(routes.targets[i]));
    }
    if (!routes.holders.empty()) {
      departures.KeepFor(routes.holders, letter);
    }
    departures.Send(std::move(letter), 0, shares);
  }
  // What a full queue refuses is lost: there is no publisher to tell.
  std::move(departures)
      .Leave([done = std::move(done)](std::vector<Refusal>) mutable {
        if (done != nullptr) std::move(done)();
      });
}

}  // namespace kelpmq::service
