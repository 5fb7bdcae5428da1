#ifndef KELPMQ_SERVICE_RPC_CONVERT_H_
#define KELPMQ_SERVICE_RPC_CONVERT_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/map.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kelpmq/v1/messaging.pb.h"
#include "kelpmq/v1/topology.pb.h"
#include "kelpmq/v1/types.pb.h"
#include "service/base/message_wire.h"
#include "service/base/types.h"
#include "service/base/value.h"

namespace kelpmq::service {

// kelpmq.v1 messages <-> engine types. What comes from a client is checked,
// what the engine made is taken as it is.

// ---- Values and tables ----

using ProtoTable = google::protobuf::Map<std::string, v1::Value>;

// INVALID_VALUE: no kind set, or a number outside its AMQP width.
// HEADERS_TOO_LARGE: nested, long or large beyond `limits`.
absl::StatusOr<Value> ToValue(const v1::Value& value,
                              const MessageLimits& limits = {});
absl::StatusOr<Table> ToTable(const ProtoTable& table,
                              const MessageLimits& limits = {});
v1::Value FromValue(const Value& value);
// Replaces what is in `*result`.
void FromTable(const Table& table, ProtoTable* result);

// ---- Names, times, ranges ----

// INVALID_NAME if it has more than 255 bytes. `what` says in the error's text
// what it names ("queue", "routing key").
absl::Status CheckName(absl::string_view what, absl::string_view name);

// INVALID_VALUE unless 1 <= first <= last.
absl::Status CheckTagRange(const v1::TagRange& range);

// A duration that the client may leave out: `if_zero` for 0. INVALID_VALUE:
// negative, malformed or outside low..high. `field` names it in the error.
struct DurationBounds {
  absl::Duration if_zero;
  absl::Duration low;
  absl::Duration high;
};
absl::StatusOr<absl::Duration> ToDuration(
    absl::string_view field, const google::protobuf::Duration& duration,
    const DurationBounds& bounds);
google::protobuf::Duration FromDuration(absl::Duration duration);
// InfinitePast and InfiniteFuture become the ends of the range of Timestamp.
google::protobuf::Timestamp FromTime(absl::Time time);
// INVALID_VALUE: outside the range of Timestamp.
absl::StatusOr<absl::Time> ToTime(absl::string_view field,
                                  const google::protobuf::Timestamp& time);

// ---- Errors ----

// What the status would say as the end of an RPC.
v1::OperationError ToOperationError(const absl::Status& status);

// ---- Topology ----

// Puts each option under its x- key into `*arguments`, which holds what the
// client gave there. CONFLICTING_ARGUMENT: both given, and different.
absl::Status AddOptions(const v1::QueueOptions& options, Table* arguments);
// The other way: every argument that its option can express.
v1::QueueOptions OptionsOf(const Table& arguments);

// The same for an exchange's one option, empty for none.
absl::Status AddAlternateExchange(absl::string_view alternate_exchange,
                                  Table* arguments);

// INVALID_NAME, and the errors of ToTable and AddOptions. Of a passive declare
// only the name counts.
absl::StatusOr<ExchangeSpec> ToExchangeSpec(
    const v1::DeclareExchangeRequest& request);
absl::StatusOr<QueueSpec> ToQueueSpec(const v1::DeclareQueueRequest& request);

v1::Exchange FromExchange(absl::string_view vhost, const ExchangeInfo& info);
v1::Queue FromQueue(absl::string_view vhost, const QueueInfo& info,
                    absl::string_view owner_client);
v1::Binding FromBinding(absl::string_view vhost, const BindingSpec& binding);
v1::ConsumerInfo FromConsumer(absl::string_view vhost,
                              const ConsumerInfo& info);

// Tells apart the bindings between one source and one destination, in the
// manner of RabbitMQ's management API: the url-encoded routing key, followed,
// if there are arguments, by "~" and their hash; "~" if there is neither.
std::string PropertiesKey(absl::string_view routing_key,
                          const Table& arguments);

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_RPC_CONVERT_H_
