#include "client/cpp/src/backoff.h"

#include <algorithm>

namespace kelpmq::client {

absl::Duration Backoff::Next(double chance) {
  const absl::Duration base = std::min(base_, options_.max);
  base_ = std::min(base * options_.multiplier, options_.max);
  return base * (1 - options_.jitter * chance);
}

}  // namespace kelpmq::client
