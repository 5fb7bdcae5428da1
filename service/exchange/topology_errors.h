#ifndef KELPMQ_SERVICE_EXCHANGE_TOPOLOGY_ERRORS_H_
#define KELPMQ_SERVICE_EXCHANGE_TOPOLOGY_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/base/types.h"
#include "service/base/value.h"

namespace kelpmq::service {

// The one argument of an exchange that is compared and acted on.
inline constexpr absl::string_view kAlternateExchange = "alternate-exchange";

// The errors of declaring and binding, in RabbitMQ's words.

absl::Status NoExchangeError(absl::string_view name, absl::string_view vhost);
absl::Status NoQueueError(absl::string_view name, absl::string_view vhost);
// EXB-03, EXB-04.
absl::Status DefaultExchangeError();
// EXB-05: declaring and deleting.
absl::Status ReservedExchangeError(absl::string_view name);
absl::Status SystemExchangeError(absl::string_view name,
                                 absl::string_view vhost);
// EXB-06.
absl::Status InternalExchangeError(absl::string_view name,
                                   absl::string_view vhost);
// EXD-03.
absl::Status UnknownTypeError(absl::string_view type);
// EXD-05.
absl::Status ArgumentTypeError(const Value& value, absl::string_view argument,
                               absl::string_view exchange,
                               absl::string_view vhost);
// EXDEL-02.
absl::Status ExchangeInUseError(absl::string_view name,
                                absl::string_view vhost);

// INVALID_NAME if it is longer than kMaxNameBytes or not UTF-8 (LIMIT-01).
// `what` is "exchange name", "routing key", ...
absl::Status CheckTopologyName(absl::string_view what, absl::string_view name);
// INVALID_NAME, DEFAULT_EXCHANGE (EXB-03).
absl::Status CheckBindingNames(const BindingSpec& binding);
// INEQUIVALENT_ARGUMENT if an exchange cannot be declared anew like this
// (EXD-02).
absl::Status CheckEquivalent(const ExchangeSpec& current,
                             const ExchangeSpec& received,
                             absl::string_view vhost);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_TOPOLOGY_ERRORS_H_
