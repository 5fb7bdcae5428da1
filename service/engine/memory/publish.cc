#include "service/engine/memory/publish.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

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

// Enters what the queues say into the result. An item that one queue
// refused has failed, though others keep their copy (CONF-05).
void AddRefusals(const std::string& vhost, std::vector<Refusal> refusals,
                 PublishResult* result) {
  bool any = false;
  for (Refusal& refusal : refusals) {
    if (refusal.crowded != nullptr) {
      result->crowded = std::move(refusal.crowded);
    }
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

}  // namespace

void PublishBatch(const PublishPath& path, std::vector<PublishItem> items,
                  Done<PublishResult> done) {
  const Router& router = path.router;
  const std::string& vhost = path.vhost;
  PublishResult result;
  Departures departures(path, items.size());
  Routes routes;
  std::vector<uint32_t> shares;  // that the current item goes to
  // The item that `shares` was made for, if it serves others of its key as
  // well; it lives on in a share.
  const Message* routed = nullptr;

  for (uint32_t i = 0; i < items.size(); ++i) {
    PublishItem& item = items[i];
    const Message& message = *item.message;
    if (item.deliver_time != absl::InfinitePast() &&
        item.deliver_time > path.clock.Now()) {
      absl::Status status = router.CheckPublish(message.exchange());
      if (status.ok()) {
        departures.Keep(item.deliver_time, {std::move(item.message), ""});
      } else {
        result.failures.push_back({i, std::move(status)});
      }
      continue;
    }
    const bool same_route = routed != nullptr &&
                            !message.marks().has_sender_keys &&
                            message.routing_key() == routed->routing_key() &&
                            message.exchange() == routed->exchange();
    if (!same_route) {
      routed = nullptr;
      shares.clear();
      routes.clear();
      absl::Status status = router.Route(message, &routes);
      if (!status.ok()) {
        result.failures.push_back({i, std::move(status)});
        continue;
      }
      for (const TargetId target : routes.targets) {
        shares.push_back(departures.ShareOf(target));
      }
      if (!routes.holders.empty()) {
        departures.KeepFor(routes.holders, item.message);
      }
      // Asking is worth it only if another item follows.
      if (i + 1 < items.size() && router.RoutesByKeyAlone(message)) {
        routed = &message;
      }
    }
    if (routes.empty()) {
      if (item.mandatory) {
        result.failures.push_back({i, NoRoute(vhost, message)});
      } else {
        ++result.unrouted_count;
      }
      continue;
    }
    result.queue_count += static_cast<uint32_t>(shares.size());
    departures.Send(std::move(item.message), i, shares);
  }

  std::move(departures)
      .Leave([vhost, item_count = items.size(), result = std::move(result),
              done = std::move(done)](std::vector<Refusal> refusals) mutable {
        AddRefusals(vhost, std::move(refusals), &result);
        result.accepted_count =
            static_cast<uint32_t>(item_count - result.failures.size());
        std::move(done)(std::move(result));
      });
}

void PublishLate(const PublishPath& path, std::vector<LateMessage> messages,
                 Closure done) {
  Departures departures(path, messages.size());
  Routes routes;
  std::vector<uint32_t> shares;
  for (LateMessage& late : messages) {
    const Message& message = *late.message;
    routes.clear();
    shares.clear();
    path.router.RouteFrom(
        late.exchange.empty() ? message.exchange() : late.exchange, message,
        &routes);
    for (const TargetId target : routes.targets) {
      shares.push_back(departures.ShareOf(target));
    }
    if (!routes.holders.empty()) {
      departures.KeepFor(routes.holders, late.message);
    }
    departures.Send(std::move(late.message), 0, shares);
  }
  std::move(departures)
      .Leave([done = std::move(done)](std::vector<Refusal>) mutable {
        std::move(done)();
      });
}

}  // namespace kelpmq::service
