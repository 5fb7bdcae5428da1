// The topology part of convert.h.

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/fnv.h"
#include "service/base/utf8.h"
#include "service/rpc/convert.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kMessageTtl = "x-message-ttl";
constexpr absl::string_view kExpires = "x-expires";
constexpr absl::string_view kMaxLength = "x-max-length";
constexpr absl::string_view kMaxLengthBytes = "x-max-length-bytes";
constexpr absl::string_view kOverflow = "x-overflow";
constexpr absl::string_view kDeadLetterExchange = "x-dead-letter-exchange";
constexpr absl::string_view kDeadLetterRoutingKey = "x-dead-letter-routing-key";
constexpr absl::string_view kMaxPriority = "x-max-priority";
constexpr absl::string_view kSingleActiveConsumer = "x-single-active-consumer";
constexpr absl::string_view kQueueType = "x-queue-type";
constexpr absl::string_view kDeliveryLimit = "x-delivery-limit";
constexpr absl::string_view kConsumerTimeout = "x-consumer-timeout";
constexpr absl::string_view kAlternateExchange = "alternate-exchange";

// Whether an argument says the same as an option: integers by value, whatever
// their width.
bool SameMeaning(const Value& argument, const Value& option) {
  if (const auto number = IntegerOf(option)) {
    return IntegerOf(argument) == number;
  }
  if (const auto text = StringOf(option)) return StringOf(argument) == text;
  return argument == option;
}

// Stores one option unless the client gave the argument as well.
absl::Status AddOption(absl::string_view key, Value option, Table* arguments) {
  auto it = arguments->find(key);
  if (it == arguments->end()) {
    arguments->emplace(key, std::move(option));
    return absl::OkStatus();
  }
  if (SameMeaning(it->second, option)) return absl::OkStatus();
  return MakeError(
      Reason::kConflictingArgument,
      absl::StrCat("argument '", key, "' is ", DebugString(it->second),
                   ", but the option of that meaning is ", DebugString(option)),
      {{"argument", key}});
}

absl::Status AddNumber(absl::string_view key, uint64_t number,
                       Table* arguments) {
  if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return MakeError(Reason::kInvalidValue,
                     absl::StrCat("option '", key, "' ", number,
                                  " does not fit AMQP's 64-bit integer"),
                     {{"argument", key}});
  }
  return AddOption(key, static_cast<int64_t>(number), arguments);
}

const Value* Find(const Table& arguments, absl::string_view key) {
  auto it = arguments.find(key);
  return it == arguments.end() ? nullptr : &it->second;
}

// The argument as its option can express it; nullopt if it cannot.
template <typename Number>
std::optional<Number> NumberOption(const Table& arguments,
                                   absl::string_view key) {
  const Value* value = Find(arguments, key);
  if (value == nullptr) return std::nullopt;
  const auto number = IntegerOf(*value);
  if (!number || *number < 0 ||
      static_cast<uint64_t>(*number) > std::numeric_limits<Number>::max()) {
    return std::nullopt;
  }
  return static_cast<Number>(*number);
}

std::optional<std::string> TextOption(const Table& arguments,
                                      absl::string_view key) {
  const Value* value = Find(arguments, key);
  if (value == nullptr) return std::nullopt;
  const auto text = StringOf(*value);
  if (!text || !IsValidUtf8(*text)) return std::nullopt;
  return std::string(*text);
}

}  // namespace

absl::Status AddOptions(const v1::QueueOptions& options, Table* arguments) {
  absl::Status status;
  const auto number = [&](bool given, absl::string_view key, uint64_t value) {
    if (given && status.ok()) status = AddNumber(key, value, arguments);
  };
  const auto text = [&](bool given, absl::string_view key,
                        const std::string& value) {
    if (given && status.ok()) status = AddOption(key, value, arguments);
  };
  const v1::QueueOptions& o = options;
  number(o.has_message_ttl_ms(), kMessageTtl, o.message_ttl_ms());
  number(o.has_expires_ms(), kExpires, o.expires_ms());
  number(o.has_max_length(), kMaxLength, o.max_length());
  number(o.has_max_length_bytes(), kMaxLengthBytes, o.max_length_bytes());
  text(!o.overflow().empty(), kOverflow, o.overflow());
  text(o.has_dead_letter_exchange(), kDeadLetterExchange,
       o.dead_letter_exchange());
  text(o.has_dead_letter_routing_key(), kDeadLetterRoutingKey,
       o.dead_letter_routing_key());
  number(o.has_max_priority(), kMaxPriority, o.max_priority());
  if (o.has_single_active_consumer() && status.ok()) {
    status =
        AddOption(kSingleActiveConsumer, o.single_active_consumer(), arguments);
  }
  text(!o.queue_type().empty(), kQueueType, o.queue_type());
  number(o.has_delivery_limit(), kDeliveryLimit, o.delivery_limit());
  number(o.has_consumer_timeout_ms(), kConsumerTimeout,
         o.consumer_timeout_ms());
  return status;
}

v1::QueueOptions OptionsOf(const Table& arguments) {
  v1::QueueOptions o;
  if (auto n = NumberOption<uint64_t>(arguments, kMessageTtl)) {
    o.set_message_ttl_ms(*n);
  }
  if (auto n = NumberOption<uint64_t>(arguments, kExpires)) {
    o.set_expires_ms(*n);
  }
  if (auto n = NumberOption<uint64_t>(arguments, kMaxLength)) {
    o.set_max_length(*n);
  }
  if (auto n = NumberOption<uint64_t>(arguments, kMaxLengthBytes)) {
    o.set_max_length_bytes(*n);
  }
  if (auto text = TextOption(arguments, kOverflow)) {
    o.set_overflow(*std::move(text));
  }
  if (auto text = TextOption(arguments, kDeadLetterExchange)) {
    o.set_dead_letter_exchange(*std::move(text));
  }
  if (auto text = TextOption(arguments, kDeadLetterRoutingKey)) {
    o.set_dead_letter_routing_key(*std::move(text));
  }
  if (auto n = NumberOption<uint32_t>(arguments, kMaxPriority)) {
    o.set_max_priority(*n);
  }
  if (const Value* value = Find(arguments, kSingleActiveConsumer)) {
    if (const bool* on = value->As<bool>()) o.set_single_active_consumer(*on);
  }
  if (auto text = TextOption(arguments, kQueueType)) {
    o.set_queue_type(*std::move(text));
  }
  if (auto n = NumberOption<uint32_t>(arguments, kDeliveryLimit)) {
    o.set_delivery_limit(*n);
  }
  if (auto n = NumberOption<uint64_t>(arguments, kConsumerTimeout)) {
    o.set_consumer_timeout_ms(*n);
  }
  return o;
}

absl::Status AddAlternateExchange(absl::string_view alternate_exchange,
                                  Table* arguments) {
  if (alternate_exchange.empty()) return absl::OkStatus();
  return AddOption(kAlternateExchange, std::string(alternate_exchange),
                   arguments);
}

absl::StatusOr<ExchangeSpec> ToExchangeSpec(
    const v1::DeclareExchangeRequest& request) {
  if (request.passive()) {
    ExchangeSpec named;
    named.name = request.name();
    if (absl::Status status = CheckName("exchange", named.name); !status.ok()) {
      return status;
    }
    return named;
  }
  for (absl::Status status :
       {CheckName("exchange", request.name()),
        CheckName("exchange type", request.type()),
        CheckName("alternate exchange", request.alternate_exchange())}) {
    if (!status.ok()) return status;
  }
  auto arguments = ToTable(request.arguments());
  if (!arguments.ok()) return std::move(arguments).status();
  absl::Status added =
      AddAlternateExchange(request.alternate_exchange(), &*arguments);
  if (!added.ok()) return added;

  ExchangeSpec spec;
  spec.name = request.name();
  spec.type = request.type().empty() ? "direct" : request.type();
  spec.durable = request.durable();
  spec.auto_delete = request.auto_delete();
  spec.internal = request.internal();
  spec.arguments = *std::move(arguments);
  return spec;
}

absl::StatusOr<QueueSpec> ToQueueSpec(const v1::DeclareQueueRequest& request) {
  if (absl::Status status = CheckName("queue", request.name()); !status.ok()) {
    return status;
  }
  QueueSpec spec;
  spec.name = request.name();
  if (request.passive()) return spec;
  auto arguments = ToTable(request.arguments());
  if (!arguments.ok()) return std::move(arguments).status();
  absl::Status added = AddOptions(request.options(), &*arguments);
  if (!added.ok()) return added;
  spec.durable = request.durable();
  spec.exclusive = request.exclusive();
  spec.auto_delete = request.auto_delete();
  spec.arguments = *std::move(arguments);
  return spec;
}

v1::Exchange FromExchange(absl::string_view vhost, const ExchangeInfo& info) {
  const ExchangeSpec& spec = info.spec;
  v1::Exchange exchange;
  exchange.set_vhost(std::string(vhost));
  exchange.set_name(spec.name);
  exchange.set_type(spec.type);
  exchange.set_durable(spec.durable);
  exchange.set_auto_delete(spec.auto_delete);
  exchange.set_internal(spec.internal);
  if (auto alternate = TextOption(spec.arguments, kAlternateExchange)) {
    exchange.set_alternate_exchange(*std::move(alternate));
  }
  FromTable(spec.arguments, exchange.mutable_arguments());
  return exchange;
}

v1::Queue FromQueue(absl::string_view vhost, const QueueInfo& info,
                    absl::string_view owner_client) {
  const QueueSpec& spec = info.spec;
  v1::Queue queue;
  queue.set_vhost(std::string(vhost));
  queue.set_name(spec.name);
  queue.set_durable(spec.durable);
  queue.set_exclusive(spec.exclusive);
  queue.set_auto_delete(spec.auto_delete);
  *queue.mutable_options() = OptionsOf(spec.arguments);
  FromTable(spec.arguments, queue.mutable_arguments());
  queue.set_messages_ready(info.messages_ready);
  queue.set_messages_unacked(info.messages_unacked);
  queue.set_consumer_count(info.consumer_count);
  queue.set_message_bytes(info.message_bytes);
  queue.set_owner_client(std::string(owner_client));
  if (info.idle_since != absl::InfinitePast()) {
    *queue.mutable_idle_since() = FromTime(info.idle_since);
  }
  return queue;
}

v1::Binding FromBinding(absl::string_view vhost, const BindingSpec& binding) {
  v1::Binding result;
  result.set_vhost(std::string(vhost));
  result.set_source(binding.source);
  result.set_destination(binding.destination);
  result.set_destination_type(binding.kind == DestinationKind::kQueue
                                  ? v1::DESTINATION_TYPE_QUEUE
                                  : v1::DESTINATION_TYPE_EXCHANGE);
  result.set_routing_key(binding.routing_key);
  FromTable(binding.arguments, result.mutable_arguments());
  result.set_properties_key(
      PropertiesKey(binding.routing_key, binding.arguments));
  return result;
}

v1::ConsumerInfo FromConsumer(absl::string_view vhost,
                              const ConsumerInfo& info) {
  v1::ConsumerInfo consumer;
  consumer.set_vhost(std::string(vhost));
  consumer.set_queue(info.queue);
  consumer.set_consumer_tag(info.consumer_tag);
  consumer.set_auto_ack(info.auto_ack);
  consumer.set_exclusive(info.exclusive);
  consumer.set_prefetch_count(info.prefetch_count);
  consumer.set_unacked_count(info.unacked_count);
  consumer.set_active(info.active);
  consumer.set_priority(info.priority);
  FromTable(info.arguments, consumer.mutable_arguments());
  consumer.set_client_name(info.client_name);
  consumer.set_peer(info.peer);
  return consumer;
}

std::string PropertiesKey(absl::string_view routing_key,
                          const Table& arguments) {
  std::string key;
  for (const char c : routing_key) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
        c == '-' || c == '_') {
      key += c;
    } else {
      absl::StrAppend(&key, "%",
                      absl::Hex(static_cast<uint8_t>(c), absl::kZeroPad2));
    }
  }
  if (!arguments.empty()) {
    // Deterministic: an equal table must give an equal hash, though protobuf
    // maps have no order.
    v1::Table table;
    FromTable(arguments, table.mutable_fields());
    std::string bytes;
    {
      google::protobuf::io::StringOutputStream stream(&bytes);
      google::protobuf::io::CodedOutputStream coded(&stream);
      coded.SetSerializationDeterministic(true);
      table.SerializeToCodedStream(&coded);
    }
    absl::StrAppend(&key, "~", absl::Hex(Fnv1a(bytes), absl::kZeroPad16));
  }
  return key.empty() ? "~" : key;
}

}  // namespace kelpmq::service
