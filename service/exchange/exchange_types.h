#ifndef KELPMQ_SERVICE_EXCHANGE_EXCHANGE_TYPES_H_
#define KELPMQ_SERVICE_EXCHANGE_EXCHANGE_TYPES_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/base/clock.h"
#include "service/base/random_sequence.h"
#include "service/base/types.h"
#include "service/exchange/exchange.h"
#include "service/exchange/recent_history.h"
#include "service/exchange/seen_values.h"

namespace kelpmq::service {

// The exchange types by name: those of EXD-01 and those of PLUG.

// What routing changes of an exchange. It lies outside of the routing table,
// whose two copies share it.
struct ExchangeParts {
  std::shared_ptr<RandomSequence> random;  // of the vhost
  std::shared_ptr<RecentHistory> history;  // null: the type keeps none
  std::shared_ptr<SeenValues> seen;        // likewise
};

// EXCHANGE_TYPE_UNKNOWN unless there is such a type (EXD-03).
absl::Status CheckExchangeType(absl::string_view type);

// Whether the arguments that the type acts on are right.
//   INVALID_ARGUMENT_VALUE
absl::Status CheckTypeArguments(const ExchangeSpec& spec);

// The parts of an exchange like this. `spec` need not be valid. `clock`, which
// may be null, is SeenValues'.
ExchangeParts MakeParts(const ExchangeSpec& spec,
                        std::shared_ptr<RandomSequence> random,
                        const Clock* clock);

// A new exchange of a spec that passes both checks.
std::unique_ptr<Exchange> MakeExchange(const ExchangeSpec& spec,
                                       const ExchangeParts& parts);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_EXCHANGE_TYPES_H_
