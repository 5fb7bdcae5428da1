#include "service/engine/memory/dead_letters.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "service/engine/memory/gather.h"
#include "service/queue/dead_letter.h"
#include "service/queue/queue.h"

namespace kelpmq::service {

void PublishDeadLetters(const Router& router, std::vector<MessageRef> letters,
                        Closure done) {
  struct Share {
    std::shared_ptr<Queue> queue;
    std::vector<MessageRef> letters;
  };
  std::vector<Share> shares;  // by first letter
  absl::flat_hash_map<const RouteTarget*, size_t> share_of;

  std::vector<TargetId> targets;
  for (const MessageRef& letter : letters) {
    targets.clear();
    router.RouteDeadLetter(*letter, &targets);
    const DeathHistory history(*letter);
    for (std::shared_ptr<RouteTarget>& target : router.Resolve(targets)) {
      if (target == nullptr) continue;  // deleted since it was routed to
      // The vhost gives its router nothing but queues.
      auto queue = std::static_pointer_cast<Queue>(std::move(target));
      if (history.IsCycle(queue->name())) continue;
      const auto [at, is_new] =
          share_of.try_emplace(queue.get(), shares.size());
      if (is_new) shares.push_back({std::move(queue), {}});
      shares[at->second].letters.push_back(letter);
    }
  }

  auto gather = Gather<std::monostate>::Create(
      shares.size(),
      [done = std::move(done)](std::vector<std::monostate>) mutable {
        if (done != nullptr) std::move(done)();
      });
  for (size_t slot = 0; slot < shares.size(); ++slot) {
    Share& share = shares[slot];
    Queue* const queue = share.queue.get();
    // What a full queue refuses is lost: there is no publisher to tell.
    queue->Enqueue(std::move(share.letters),
                   [gather, slot, queue = std::move(share.queue)](
                       std::vector<uint32_t>) { gather->Put(slot, {}); });
  }
}

}  // namespace kelpmq::service
