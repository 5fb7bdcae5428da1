#ifndef KELPMQ_SERVICE_DEFINITIONS_AWAIT_H_
#define KELPMQ_SERVICE_DEFINITIONS_AWAIT_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "service/base/mutex.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// Makes a call of the engine, which `start` begins with the completion that it
// is given, and waits for its result. For threads that may wait.
template <typename Result, typename Start>
absl::StatusOr<Result> Await(Start start) {
  struct Shared {
    Mutex mu;
    CondVar done;
    std::optional<absl::StatusOr<Result>> result;
  };
  auto shared = std::make_shared<Shared>();
  start(Done<Result>([shared](absl::StatusOr<Result> result) {
    MutexLock lock(&shared->mu);
    shared->result = std::move(result);
    shared->done.NotifyOne();
  }));
  MutexLock lock(&shared->mu);
  while (!shared->result.has_value()) shared->done.Wait(&shared->mu);
  return *std::move(shared->result);
}

// All pages of a list.
//   list: as &Engine::ListQueues
template <typename Item>
absl::StatusOr<std::vector<Item>> ListAll(
    Engine* engine, void (Engine::*list)(ListParams, Done<Page<Item>>),
    ListParams params) {
  constexpr uint32_t kPage = 1000;
  std::vector<Item> all;
  params.limit = kPage;
  for (;;) {
    absl::StatusOr<Page<Item>> page =
        Await<Page<Item>>([&](Done<Page<Item>> done) {
          (engine->*list)(params, std::move(done));
        });
    if (!page.ok()) return page.status();
    for (Item& item : page->items) all.push_back(std::move(item));
    if (page->next.empty()) return all;
    params.after = std::move(page->next);
  }
}

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_DEFINITIONS_AWAIT_H_
