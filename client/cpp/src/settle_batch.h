#ifndef KELPMQ_CLIENT_CPP_SRC_SETTLE_BATCH_H_
#define KELPMQ_CLIENT_CPP_SRC_SETTLE_BATCH_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "kelpmq/v1/messaging.pb.h"

namespace kelpmq::client {

// Settles that gather until the stream can take them. Pure.
// Thread-safety: thread-compatible.
class SettleBatch {
 public:
  void Add(uint64_t delivery_tag, v1::SettleAction action);
  // The next request: all tags of one action, neighbours as ranges.
  std::optional<v1::Settle> Take();
  // Its stream is gone.
  void Clear();

 private:
  struct Tags {
    v1::SettleAction action;
    std::vector<uint64_t> tags;
  };
  // Few: one for each action.
  std::vector<Tags> actions_ = {{v1::SETTLE_ACTION_ACK, {}},
                                {v1::SETTLE_ACTION_REQUEUE, {}},
                                {v1::SETTLE_ACTION_DISCARD, {}}};
};

}  // namespace kelpmq::client

#endif  // KELPMQ_CLIENT_CPP_SRC_SETTLE_BATCH_H_
