#include "service/exchange/topology_errors.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/utf8.h"

namespace kelpmq::service {
namespace {

std::string ExchangeInVhost(absl::string_view name, absl::string_view vhost) {
  return absl::StrCat("exchange '", name, "' in vhost '", vhost, "'");
}

// A value without quotes around strings.
std::string PlainText(const Value& value) {
  const auto text = StringOf(value);
  return text.has_value() ? std::string(*text) : DebugString(value);
}

// How RabbitMQ prints an argument that the other side does not have at all.
std::string WithType(const Value* value) {
  if (value == nullptr) return "none";
  return absl::StrCat("the value '", PlainText(*value), "' of type '",
                      AmqpTypeName(*value), "'");
}

absl::Status Inequivalent(absl::string_view attribute,
                          const ExchangeSpec& exchange, absl::string_view vhost,
                          absl::string_view received,
                          absl::string_view current) {
  return MakeError(
      Reason::kInequivalentArgument,
      absl::StrCat("inequivalent arg '", attribute, "' for ",
                   ExchangeInVhost(exchange.name, vhost), ": received ",
                   received, " but current is ", current),
      {{"exchange", exchange.name},
       {"vhost", vhost},
       {"argument", attribute},
       {"received", received},
       {"current", current}});
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", text, "'");
}

absl::string_view BoolText(bool b) { return b ? "'true'" : "'false'"; }

const Value* FindArgument(const Table& arguments, absl::string_view name) {
  const auto it = arguments.find(name);
  return it == arguments.end() ? nullptr : &it->second;
}

}  // namespace

absl::Status NoExchangeError(absl::string_view name, absl::string_view vhost) {
  return MakeError(Reason::kExchangeNotFound,
                   absl::StrCat("no ", ExchangeInVhost(name, vhost)),
                   {{"exchange", name}, {"vhost", vhost}});
}

absl::Status NoQueueError(absl::string_view name, absl::string_view vhost) {
  return MakeError(Reason::kQueueNotFound,
                   absl::StrCat("no queue '", name, "' in vhost '", vhost, "'"),
                   {{"queue", name}, {"vhost", vhost}});
}

absl::Status DefaultExchangeError() {
  return MakeError(Reason::kDefaultExchange,
                   "operation not permitted on the default exchange",
                   {{"exchange", ""}});
}

absl::Status ReservedExchangeError(absl::string_view name) {
  return MakeError(Reason::kReservedName,
                   absl::StrCat("exchange name '", name,
                                "' contains reserved prefix 'amq.*'"),
                   {{"exchange", name}});
}

absl::Status SystemExchangeError(absl::string_view name,
                                 absl::string_view vhost) {
  return MakeError(Reason::kDefaultExchange,
                   absl::StrCat("deletion of system ",
                                ExchangeInVhost(name, vhost), " not allowed"),
                   {{"exchange", name}, {"vhost", vhost}});
}

absl::Status InternalExchangeError(absl::string_view name,
                                   absl::string_view vhost) {
  return MakeError(
      Reason::kInternalExchange,
      absl::StrCat("cannot publish to internal ", ExchangeInVhost(name, vhost)),
      {{"exchange", name}, {"vhost", vhost}});
}

absl::Status UnknownTypeError(absl::string_view type) {
  return MakeError(Reason::kExchangeTypeUnknown,
                   absl::StrCat("unknown exchange type '", type, "'"),
                   {{"argument", "type"}});
}

absl::Status ArgumentTypeError(const Value& value, absl::string_view argument,
                               absl::string_view exchange,
                               absl::string_view vhost) {
  return MakeError(
      Reason::kInvalidArgumentValue,
      absl::StrCat("invalid type '", AmqpTypeName(value), "' for arg '",
                   argument, "' in ", ExchangeInVhost(exchange, vhost)),
      {{"exchange", exchange}, {"vhost", vhost}, {"argument", argument}});
}

absl::Status ExchangeInUseError(absl::string_view name,
                                absl::string_view vhost) {
  return MakeError(Reason::kExchangeInUse,
                   absl::StrCat(ExchangeInVhost(name, vhost), " in use"),
                   {{"exchange", name}, {"vhost", vhost}});
}

absl::Status CheckTopologyName(absl::string_view what, absl::string_view name) {
  if (name.size() > kMaxNameBytes) {
    return MakeError(Reason::kInvalidName,
                     absl::StrCat(what, " has ", name.size(), " bytes, over ",
                                  kMaxNameBytes));
  }
  if (!IsValidUtf8(name)) {
    return MakeError(Reason::kInvalidName,
                     absl::StrCat(what, " is not valid UTF-8"));
  }
  return absl::OkStatus();
}

absl::Status CheckBindingNames(const BindingSpec& binding) {
  const bool to_exchange = binding.kind == DestinationKind::kExchange;
  if (binding.source.empty() || (to_exchange && binding.destination.empty())) {
    return DefaultExchangeError();
  }
  absl::Status status = CheckTopologyName("exchange name", binding.source);
  if (!status.ok()) return status;
  status = CheckTopologyName(to_exchange ? "exchange name" : "queue name",
                             binding.destination);
  if (!status.ok()) return status;
  return CheckTopologyName("routing key", binding.routing_key);
}

absl::Status CheckEquivalent(const ExchangeSpec& current,
                             const ExchangeSpec& received,
                             absl::string_view vhost) {
  if (received.type != current.type) {
    return Inequivalent("type", current, vhost, Quoted(received.type),
                        Quoted(current.type));
  }
  struct Flag {
    absl::string_view name;
    bool received;
    bool current;
  };
  for (const Flag& flag :
       {Flag{"durable", received.durable, current.durable},
        Flag{"auto_delete", received.auto_delete, current.auto_delete},
        Flag{"internal", received.internal, current.internal}}) {
    if (flag.received != flag.current) {
      return Inequivalent(flag.name, current, vhost, BoolText(flag.received),
                          BoolText(flag.current));
    }
  }
  const Value* const was = FindArgument(current.arguments, kAlternateExchange);
  const Value* const is = FindArgument(received.arguments, kAlternateExchange);
  if (was == nullptr && is == nullptr) return absl::OkStatus();
  if (was == nullptr || is == nullptr) {
    return Inequivalent(kAlternateExchange, current, vhost, WithType(is),
                        WithType(was));
  }
  if (SameArgument(*is, *was)) return absl::OkStatus();
  return Inequivalent(kAlternateExchange, current, vhost,
                      Quoted(PlainText(*is)), Quoted(PlainText(*was)));
}

}  // namespace kelpmq::service
