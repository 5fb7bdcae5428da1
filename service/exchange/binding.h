#ifndef KELPMQ_SERVICE_EXCHANGE_BINDING_H_
#define KELPMQ_SERVICE_EXCHANGE_BINDING_H_

#include <cstddef>
#include <string>

#include "service/base/value.h"
#include "service/exchange/destination.h"

namespace kelpmq::service {

// One binding. Owned by the RoutingTable; its address is its identity.
struct Binding {
  ExchangeEntry* source = nullptr;
  Destination* destination = nullptr;
  std::string routing_key;
  Table arguments;
  std::string arguments_identity;  // ArgumentsIdentity(arguments)
  size_t incoming_index = 0;       // in destination->record->incoming
};

// A string that is the same for equal tables and for no others, types included
// (BIND-03); empty for an empty table. Serves for hashing and ordering.
std::string ArgumentsIdentity(const Table& arguments);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_BINDING_H_
