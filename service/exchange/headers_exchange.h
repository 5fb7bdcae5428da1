#ifndef KELPMQ_SERVICE_EXCHANGE_HEADERS_EXCHANGE_H_
#define KELPMQ_SERVICE_EXCHANGE_HEADERS_EXCHANGE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/base/value.h"
#include "service/exchange/exchange.h"

namespace kelpmq::service {

// Whether a header's value satisfies a binding's (HDR-05 to HDR-07): numbers
// by value whatever their kind, timestamps among them; strings and byte arrays
// by their bytes; all else only exactly.
bool HeaderMatches(const Value& wanted, const Value& header);

// Matches bindings whose arguments the message's headers satisfy: all of them
// or any, as x-match says (HDR-01, HDR-02, HDR-08).
//
// A binding is found through the conditions it states: only those that share
// one with the message's headers are looked at.
class HeadersExchange : public Exchange {
 public:
  absl::Status CheckBinding(const BindingSpec& binding) const override;
  void Bind(const Binding& binding) override;
  void Unbind(const Binding& binding) override;
  void Route(RoutingInput* input, RouteList* routes) const override;
  bool LooksBeyondKeys() const override { return true; }

 private:
  struct Rule {
    const Destination* destination;
    bool all;                                       // of the conditions, or any
    std::vector<Table::const_iterator> conditions;  // in Binding::arguments
    std::vector<uint64_t> places;                   // in index_
  };
  using Rules = absl::flat_hash_set<const Rule*>;

  static bool Matches(const Rule& rule, const Table& headers);
  void RouteCandidates(uint64_t place, const Table& headers,
                       RouteList* routes) const;

  absl::flat_hash_map<const Binding*, std::unique_ptr<Rule>> rules_;
  // By a hash of a condition. An `any` rule stands under all of its
  // conditions, an `all` rule under the one it shares with the fewest.
  absl::flat_hash_map<uint64_t, Rules> index_;
  DestinationSet unconditional_;  // `all` of no conditions (HDR-03)
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_HEADERS_EXCHANGE_H_
