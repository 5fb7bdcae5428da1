#ifndef KELPMQ_SERVICE_EXCHANGE_BINDING_H_
#define KELPMQ_SERVICE_EXCHANGE_BINDING_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "service/base/types.h"
#include "service/base/value.h"

namespace kelpmq::service {

struct Binding;
struct ExchangeEntry;  // routing_table.h

// What bindings lead to. Owned by the RoutingTable; its address is its
// identity.
struct Destination {
  std::shared_ptr<RouteTarget> queue;  // null: an exchange
  ExchangeEntry* exchange = nullptr;   // null: a queue
  std::string name;
  std::vector<Binding*> incoming;  // in no order
};

// One binding. Owned by the RoutingTable; its address is its identity.
struct Binding {
  ExchangeEntry* source = nullptr;
  Destination* destination = nullptr;
  std::string routing_key;
  Table arguments;
  std::string arguments_identity;  // ArgumentsIdentity(arguments)
  size_t incoming_index = 0;       // in destination->incoming
};

// A string that is the same for equal tables and for no others, types included
// (BIND-03); empty for an empty table. Serves for hashing and ordering.
std::string ArgumentsIdentity(const Table& arguments);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_EXCHANGE_BINDING_H_
