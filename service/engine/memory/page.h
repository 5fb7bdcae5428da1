#ifndef KELPMQ_SERVICE_ENGINE_MEMORY_PAGE_H_
#define KELPMQ_SERVICE_ENGINE_MEMORY_PAGE_H_

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/base/types.h"
#include "service/engine/engine.h"

namespace kelpmq::service {

// Lists are cut into pages by key, not by position: a token holds the key of
// the last item given, and the next page starts behind it, whatever came and
// went in between.

// A token of these parts. Valid UTF-8 if the parts are.
std::string MakePageToken(std::initializer_list<absl::string_view> parts);

// The parts of a token; none for the empty one, which is the start of a list.
//   BAD_PAGE_TOKEN: MakePageToken did not make it.
absl::StatusOr<std::vector<std::string>> ParsePageToken(
    absl::string_view token);
absl::Status BadPageToken();

// The name to continue after, of a list ordered by name; nullopt: the start,
// which is not the same as after "" (the default exchange).
absl::StatusOr<std::optional<std::string>> ParseNameToken(
    absl::string_view token);

// How many items a page takes: at least one, so that every list gets on.
size_t PageLimit(const ListParams& params);

// The first page of `items`, which are sorted by name, past the token and
// filtered. `name_of` gives an item's name.
template <typename Item, typename NameOf>
Page<Item> CutPage(std::vector<Item> items, const ListParams& params,
                   NameOf name_of) {
  Page<Item> page;
  page.items = std::move(items);
  if (page.items.size() > PageLimit(params)) {
    page.items.resize(PageLimit(params));
    page.next = MakePageToken({name_of(page.items.back())});
  }
  return page;
}

// The page of those bindings that pass the filters of `params`, ordered by
// source, destination, kind, routing key and arguments.
//   BAD_PAGE_TOKEN
absl::StatusOr<Page<BindingSpec>> PageOfBindings(
    std::vector<BindingSpec> bindings, const ListParams& params);

// The page of policies ordered by vhost and name, as they are given.
//   BAD_PAGE_TOKEN
absl::StatusOr<Page<PolicyInfo>> PageOfPolicies(
    std::vector<PolicyInfo> policies, const ListParams& params);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_ENGINE_MEMORY_PAGE_H_
