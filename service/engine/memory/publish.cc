#include "service/engine/memory/publish.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/engine/memory/gather.h"
#include "service/queue/queue.h"

namespace kelpmq::service {
namespace {

// What one queue gets of a batch.
struct Share {
  TargetId target;
  std::vector<MessageRef> messages;
  std::vector<uint32_t> indexes;  // of the messages, into the batch
};

// The items that queues have refused, as indexes into their shares.
struct Refusal {
  std::string queue;
  std::vector<uint32_t> indexes;  // into the batch
};

absl::Status NoRoute(const std::string& vhost, const Message& message) {
  return MakeError(Reason::kNoRoute,
                   absl::StrCat("no queue takes routing key '",
                                message.routing_key(), "' from exchange '",
                                message.exchange(), "' in vhost '", vhost, "'"),
                   {{"vhost", vhost}, {"exchange", message.exchange()}});
}

absl::Status QueueFull(const std::string& vhost, const std::string& queue) {
  return MakeError(
      Reason::kQueueFull,
      absl::StrCat("queue '", queue, "' in vhost '", vhost, "' is full"),
      {{"vhost", vhost}, {"queue", queue}});
}

// Sorts the messages of one batch by queue.
class Shares {
 public:
  explicit Shares(size_t batch_size) : batch_size_(batch_size) {}

  // The share of a queue, as an index that stays valid.
  uint32_t Of(TargetId target) {
    // A batch mostly goes to a handful of queues: look before hashing.
    constexpr size_t kFewShares = 8;
    if (shares_.size() <= kFewShares) {
      for (uint32_t i = 0; i < shares_.size(); ++i) {
        if (shares_[i].target == target) return i;
      }
    } else {
      if (by_target_.empty()) {
        for (uint32_t i = 0; i < shares_.size(); ++i) {
          by_target_.emplace(shares_[i].target, i);
        }
      }
      auto [it, inserted] = by_target_.try_emplace(
          target, static_cast<uint32_t>(shares_.size()));
      if (!inserted) return it->second;
    }
    shares_.emplace_back();
    shares_.back().target = target;
    if (shares_.size() == 1) {  // mostly the only one, then it gets it all
      shares_.back().messages.reserve(batch_size_);
      shares_.back().indexes.reserve(batch_size_);
    }
    return static_cast<uint32_t>(shares_.size() - 1);
  }

  Share& operator[](uint32_t i) { return shares_[i]; }
  std::vector<Share> Take() && { return std::move(shares_); }

 private:
  const size_t batch_size_;
  std::vector<Share> shares_;
  absl::flat_hash_map<TargetId, uint32_t> by_target_;
};

// Enters what the queues refused into the result. An item that one queue
// refused has failed, though others keep their copy (CONF-05).
void AddRefusals(const std::string& vhost, std::vector<Refusal> refusals,
                 PublishResult* result) {
  bool any = false;
  for (const Refusal& refusal : refusals) {
    for (uint32_t index : refusal.indexes) {
      any = true;
      --result->queue_count;
      result->failures.push_back({index, QueueFull(vhost, refusal.queue)});
    }
  }
  if (!any) return;
  std::vector<PublishFailure>& failures = result->failures;
  std::stable_sort(failures.begin(), failures.end(),
                   [](const PublishFailure& a, const PublishFailure& b) {
                     return a.index < b.index;
                   });
  failures.erase(
      std::unique(failures.begin(), failures.end(),
                  [](const PublishFailure& a, const PublishFailure& b) {
                    return a.index == b.index;
                  }),
      failures.end());
}

void Finish(size_t item_count, PublishResult result,
            Done<PublishResult>& done) {
  result.accepted_count =
      static_cast<uint32_t>(item_count - result.failures.size());
  std::move(done)(std::move(result));
}

}  // namespace

void PublishBatch(const Router& router, const std::string& vhost,
                  std::vector<PublishItem> items, const Clock& clock,
                  Done<PublishResult> done) {
  PublishResult result;
  Shares shares(items.size());
  std::vector<TargetId> targets;
  std::vector<uint32_t> route;  // shares that the current item goes to
  // The item that `route` was made for, if it serves others of its key as well.
  const Message* routed = nullptr;

  for (uint32_t i = 0; i < items.size(); ++i) {
    PublishItem& item = items[i];
    const Message& message = *item.message;
    if (item.deliver_time != absl::InfinitePast() &&
        item.deliver_time > clock.Now()) {
      result.failures.push_back(
          {i, MakeError(Reason::kFeatureUnsupported,
                        "deliver_time in the future is not supported")});
      continue;
    }
    const bool same_route = routed != nullptr &&
                            !message.facts().has_sender_keys &&
                            message.routing_key() == routed->routing_key() &&
                            message.exchange() == routed->exchange();
    if (!same_route) {
      routed = nullptr;
      route.clear();
      targets.clear();
      absl::Status status = router.Route(message, &targets);
      if (!status.ok()) {
        result.failures.push_back({i, std::move(status)});
        continue;
      }
      for (const TargetId target : targets) route.push_back(shares.Of(target));
      // Asking is worth it only if another item follows.
      if (i + 1 < items.size() && router.RoutesByKeyAlone(message)) {
        routed = &message;
      }
    }
    if (route.empty()) {
      if (item.mandatory) {
        result.failures.push_back({i, NoRoute(vhost, message)});
      } else {
        ++result.unrouted_count;
      }
      continue;
    }
    result.queue_count += static_cast<uint32_t>(route.size());
    for (size_t at = 0; at < route.size(); ++at) {
      Share& share = shares[route[at]];
      // The last takes the reference itself; so `routed` lives on in a share.
      share.messages.push_back(at + 1 < route.size() ? item.message
                                                     : std::move(item.message));
      share.indexes.push_back(i);
    }
  }

  const size_t item_count = items.size();
  std::vector<Share> parts = std::move(shares).Take();
  targets.clear();
  for (const Share& share : parts) targets.push_back(share.target);
  std::vector<std::shared_ptr<RouteTarget>> queues = router.Resolve(targets);
  auto gather = Gather<Refusal>::Create(
      parts.size(),
      [vhost, item_count, result = std::move(result),
       done = std::move(done)](std::vector<Refusal> refusals) mutable {
        AddRefusals(vhost, std::move(refusals), &result);
        Finish(item_count, std::move(result), done);
      });
  for (size_t slot = 0; slot < parts.size(); ++slot) {
    Share& share = parts[slot];
    // The vhost gives its router nothing but queues.
    auto target = std::static_pointer_cast<Queue>(std::move(queues[slot]));
    if (target == nullptr) {  // gone since: it has dropped the messages
      gather->Put(slot, {});
      continue;
    }
    Queue* const queue = target.get();
    queue->Enqueue(std::move(share.messages),
                   [gather, slot, queue = std::move(target),
                    indexes = std::move(share.indexes)](
                       std::vector<uint32_t> refused) mutable {
                     Refusal refusal;
                     if (!refused.empty()) {
                       refusal.queue = queue->name();
                       for (uint32_t at : refused)
                         refusal.indexes.push_back(indexes[at]);
                     }
                     gather->Put(slot, std::move(refusal));
                   });
  }
}

}  // namespace kelpmq::service
