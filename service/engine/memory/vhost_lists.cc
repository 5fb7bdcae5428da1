// What Vhost tells of its exchanges, queues, bindings and consumers.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/engine/memory/gather.h"
#include "service/engine/memory/page.h"
#include "service/engine/memory/vhost.h"

namespace kelpmq::service {
namespace {

// Where a consumer stands in the list: queue, tag, and which of those with this
// tag, as tags are unique per channel only.
struct ConsumerKey {
  std::string queue;
  std::string tag;
  uint64_t which = 0;

  auto AsTuple() const { return std::tie(queue, tag, which); }
  std::string ToToken() const {
    return MakePageToken({queue, tag, absl::StrCat(which)});
  }
};

// Behind all consumers of a queue.
std::string EndOfQueueToken(const std::string& queue) {
  return MakePageToken({queue});
}

// Where a list of consumers goes on.
struct ConsumerCursor {
  std::optional<ConsumerKey> after;
  std::string first_queue;  // nothing is wanted of queues before this one
  bool skip_first_queue = false;
};

absl::StatusOr<ConsumerCursor> ParseCursor(const std::string& token) {
  absl::StatusOr<std::vector<std::string>> parts = ParsePageToken(token);
  if (!parts.ok()) return parts.status();
  ConsumerCursor cursor;
  if (parts->empty()) return cursor;
  cursor.first_queue = (*parts)[0];
  if (parts->size() == 1) {
    cursor.skip_first_queue = true;
    return cursor;
  }
  ConsumerKey key;
  if (parts->size() != 3 || !absl::SimpleAtoi((*parts)[2], &key.which)) {
    return BadPageToken();
  }
  key.queue = (*parts)[0];
  key.tag = (*parts)[1];
  cursor.after = std::move(key);
  return cursor;
}

// The page out of the consumers of some queues, each queue's in the order of
// their coming. `more` names the last of these queues if others follow.
Page<ConsumerInfo> PageOfConsumers(
    std::vector<std::vector<ConsumerInfo>> by_queue,
    const ConsumerCursor& cursor, size_t limit,
    const std::optional<std::string>& more) {
  Page<ConsumerInfo> page;
  ConsumerKey key;
  for (std::vector<ConsumerInfo>& consumers : by_queue) {
    std::stable_sort(consumers.begin(), consumers.end(),
                     [](const ConsumerInfo& a, const ConsumerInfo& b) {
                       return a.consumer_tag < b.consumer_tag;
                     });
    for (size_t i = 0; i < consumers.size(); ++i) {
      ConsumerInfo& consumer = consumers[i];
      const bool same_tag = i > 0 && consumer.consumer_tag == key.tag;
      ConsumerKey here{consumer.queue, consumer.consumer_tag,
                       same_tag ? key.which + 1 : 0};
      if (page.items.size() == limit) {
        page.next = key.ToToken();
        return page;
      }
      key = std::move(here);
      if (cursor.after && key.AsTuple() <= cursor.after->AsTuple()) continue;
      page.items.push_back(std::move(consumer));
    }
  }
  if (more) page.next = EndOfQueueToken(*more);
  return page;
}

}  // namespace

absl::StatusOr<ExchangeInfo> Vhost::GetExchange(const std::string& name) const {
  MutexLock lock(&mu_);
  absl::StatusOr<ExchangeSpec> spec = router_.FindExchange(name);
  if (!spec.ok()) return spec.status();
  return ExchangeInfo{*std::move(spec)};
}

absl::StatusOr<QueueInfo> Vhost::GetQueue(const std::string& name) const {
  absl::StatusOr<std::shared_ptr<Queue>> queue = FindQueue(name);
  if (!queue.ok()) return queue.status();
  return (*queue)->info();
}

absl::StatusOr<Page<ExchangeInfo>> Vhost::ListExchanges(
    const ListParams& params) const {
  absl::StatusOr<std::optional<std::string>> after =
      ParseNameToken(params.after);
  if (!after.ok()) return after.status();
  std::vector<ExchangeSpec> specs;
  {
    MutexLock lock(&mu_);
    specs = router_.ListExchanges();
  }
  std::vector<ExchangeInfo> items;
  for (ExchangeSpec& spec : specs) {
    if (*after && spec.name <= **after) continue;
    if (!absl::StartsWith(spec.name, params.name_prefix)) continue;
    items.push_back({std::move(spec)});
    if (items.size() > PageLimit(params)) break;
  }
  return CutPage(std::move(items), params,
                 [](const ExchangeInfo& item) { return item.spec.name; });
}

absl::StatusOr<Page<QueueInfo>> Vhost::ListQueues(
    const ListParams& params) const {
  absl::StatusOr<std::optional<std::string>> after =
      ParseNameToken(params.after);
  if (!after.ok()) return after.status();
  std::vector<std::shared_ptr<Queue>> queues;
  {
    MutexLock lock(&mu_);
    auto it = queues_.lower_bound(params.name_prefix);
    if (*after && **after >= params.name_prefix) {
      it = queues_.upper_bound(**after);
    }
    for (; it != queues_.end(); ++it) {
      if (!absl::StartsWith(it->first, params.name_prefix)) break;
      queues.push_back(it->second);
      if (queues.size() > PageLimit(params)) break;
    }
  }
  std::vector<QueueInfo> items;
  items.reserve(queues.size());
  for (const auto& queue : queues) items.push_back(queue->info());
  return CutPage(std::move(items), params,
                 [](const QueueInfo& item) { return item.spec.name; });
}

absl::StatusOr<Page<BindingSpec>> Vhost::ListBindings(
    const ListParams& params) const {
  std::vector<BindingSpec> bindings;
  {
    MutexLock lock(&mu_);
    bindings = router_.ListBindings();
  }
  return PageOfBindings(std::move(bindings), params);
}

void Vhost::ListConsumers(ListParams params,
                          Done<Page<ConsumerInfo>> done) const {
  absl::StatusOr<ConsumerCursor> cursor = ParseCursor(params.after);
  if (!cursor.ok()) return std::move(done)(cursor.status());
  std::vector<std::shared_ptr<Queue>> queues;
  if (!params.queue.empty()) {
    absl::StatusOr<std::shared_ptr<Queue>> queue = FindQueue(params.queue);
    if (!queue.ok()) return std::move(done)(queue.status());
    queues.push_back(*std::move(queue));
  } else {
    MutexLock lock(&mu_);
    auto it = queues_.lower_bound(cursor->first_queue);
    if (cursor->skip_first_queue && it != queues_.end() &&
        it->first == cursor->first_queue) {
      ++it;
    }
    for (; it != queues_.end(); ++it) queues.push_back(it->second);
  }

  // Asks only so many queues as fill a page by the counts they had last.
  const size_t limit = PageLimit(params);
  std::vector<std::shared_ptr<Queue>> asked;
  std::optional<std::string> more;
  size_t expected = 0;
  for (std::shared_ptr<Queue>& queue : queues) {
    const bool continued =
        cursor->after && queue->name() == cursor->first_queue;
    const uint32_t count = queue->info().consumer_count;
    if (count == 0) continue;
    if (expected > limit) {
      more = asked.back()->name();
      break;
    }
    // Some of the first queue's consumers are on earlier pages.
    if (!continued) expected += count;
    asked.push_back(std::move(queue));
  }

  auto gather = Gather<std::vector<ConsumerInfo>>::Create(
      asked.size(),
      [cursor = *std::move(cursor), limit, more = std::move(more),
       done = std::move(done)](
          std::vector<std::vector<ConsumerInfo>> by_queue) mutable {
        std::move(done)(
            PageOfConsumers(std::move(by_queue), cursor, limit, more));
      });
  for (size_t i = 0; i < asked.size(); ++i) {
    asked[i]->ListConsumers([gather, i](std::vector<ConsumerInfo> consumers) {
      gather->Put(i, std::move(consumers));
    });
  }
}

}  // namespace kelpmq::service
