#include "client/cpp/src/settle_batch.h"

#include <algorithm>

namespace kelpmq::client {

void SettleBatch::Add(uint64_t delivery_tag, v1::SettleAction action) {
  for (Tags& of_action : actions_) {
    if (of_action.action == action) of_action.tags.push_back(delivery_tag);
  }
}

std::optional<v1::Settle> SettleBatch::Take() {
  for (Tags& of_action : actions_) {
    std::vector<uint64_t>& tags = of_action.tags;
    if (tags.empty()) continue;
    v1::Settle settle;
    settle.set_action(of_action.action);
    std::sort(tags.begin(), tags.end());
    for (size_t first = 0; first < tags.size();) {
      size_t last = first;
      while (last + 1 < tags.size() && tags[last + 1] - tags[last] <= 1) {
        ++last;
      }
      if (tags[last] == tags[first]) {
        settle.add_delivery_tags(tags[first]);
      } else {
        v1::TagRange* const range = settle.add_ranges();
        range->set_first(tags[first]);
        range->set_last(tags[last]);
      }
      first = last + 1;
    }
    tags.clear();
    return settle;
  }
  return std::nullopt;
}

void SettleBatch::Clear() {
  for (Tags& of_action : actions_) of_action.tags.clear();
}

}  // namespace kelpmq::client
