#include "service/queue/queue_arguments.h"

#include <array>
#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/utf8.h"

namespace kelpmq::service {
namespace {

constexpr int64_t kMaxPriority = 255;

// What redeclares compare (QDECL-02), in RabbitMQ's order.
constexpr absl::string_view kComparedArguments[] = {
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-queue-type",
    "x-delivery-limit",
    "x-quorum-initial-group-size",
    "x-delayed-retry-type",
    "x-delayed-retry-min",
    "x-delayed-retry-max",
};

// What only the other type of queue knows (ARGS-02). RabbitMQ 4.3 passes over
// x-max-priority on a quorum queue, so it is not among these.
constexpr absl::string_view kNotClassic[] = {"x-delivery-limit",
                                             "x-dead-letter-strategy",
                                             "x-quorum-initial-group-size",
                                             "x-delayed-retry-type",
                                             "x-delayed-retry-min",
                                             "x-delayed-retry-max",
                                             "x-max-in-memory-length",
                                             "x-max-in-memory-bytes"};
constexpr absl::string_view kNotQuorum[] = {"x-queue-mode", "x-queue-version",
                                            "x-queue-master-locator"};
// What only streams know.
constexpr absl::string_view kOfStreams[] = {
    "x-max-age", "x-stream-max-segment-size-bytes", "x-initial-cluster-size"};

std::string QueueName(absl::string_view queue, absl::string_view vhost) {
  return absl::StrCat("queue '", queue, "' in vhost '", vhost, "'");
}

// A value as RabbitMQ prints it, with no quotes of its own.
std::string Printed(const Value& value) {
  if (auto text = StringOf(value)) return std::string(*text);
  return DebugString(value);
}

bool IsClassic(const Value* type) {
  return type == nullptr || StringOf(*type) == absl::string_view("classic");
}

const Value* Find(const Table& table, absl::string_view key) {
  auto it = table.find(key);
  return it == table.end() ? nullptr : &it->second;
}

// Takes the arguments one by one. The first error stays; what comes after it
// reads as absent.
class Reader {
 public:
  Reader(const QueueSpec& spec, absl::string_view vhost)
      : spec_(spec), vhost_(vhost) {}

  const absl::Status& status() const { return status_; }

  void Fail(absl::string_view argument, absl::string_view why) {
    FailWith(argument,
             absl::StrCat("invalid arg '", argument, "' for ", Name(), why));
  }
  void FailWith(absl::string_view argument, absl::string_view text) {
    if (!status_.ok()) return;
    status_ = MakeError(
        Reason::kInvalidArgumentValue, text,
        {{"argument", argument}, {"queue", spec_.name}, {"vhost", vhost_}});
  }
  std::string Name() const { return QueueName(spec_.name, vhost_); }

  const Value* Get(absl::string_view argument) const {
    return status_.ok() ? Find(spec_.arguments, argument) : nullptr;
  }

  std::optional<int64_t> Integer(absl::string_view argument) {
    const Value* value = Get(argument);
    if (value == nullptr) return std::nullopt;
    const std::optional<int64_t> integer = IntegerOf(*value);
    if (!integer.has_value()) {
      Fail(argument, absl::StrCat(": \"expected integer, got ",
                                  AmqpTypeName(*value), "\""));
    }
    return integer;
  }
  std::optional<int64_t> NonNegative(absl::string_view argument) {
    const std::optional<int64_t> integer = Integer(argument);
    if (integer.has_value() && *integer < 0) {
      Fail(argument, absl::StrCat(": {value_negative,", *integer, "}"));
      return std::nullopt;
    }
    return integer;
  }
  std::optional<int64_t> Positive(absl::string_view argument) {
    return NotZero(argument, NonNegative(argument));
  }
  // A time after which something expires.
  std::optional<absl::Duration> Expiry(absl::string_view argument) {
    const std::optional<int64_t> ms = NonNegative(argument);
    if (!ms.has_value()) return std::nullopt;
    if (*ms > kMaxExpiryMs) {
      Fail(argument, absl::StrCat(": {value_too_large,", *ms, "}"));
      return std::nullopt;
    }
    return absl::Milliseconds(*ms);
  }
  std::optional<absl::Duration> PositiveExpiry(absl::string_view argument) {
    if (!NotZero(argument, Integer(argument)).has_value()) return std::nullopt;
    return Expiry(argument);
  }
  std::optional<absl::string_view> String(absl::string_view argument) {
    const Value* value = Get(argument);
    if (value == nullptr) return std::nullopt;
    const std::optional<absl::string_view> text = StringOf(*value);
    if (!text.has_value()) FailType(argument, *value);
    return text;
  }
  // A name or key, as messages carry them.
  std::optional<absl::string_view> ShortString(absl::string_view argument) {
    const std::optional<absl::string_view> text = String(argument);
    if (text.has_value() &&
        (text->size() > kMaxNameBytes || !IsValidUtf8(*text))) {
      Fail(argument,
           absl::StrCat(": more than ", kMaxNameBytes, " bytes, or not UTF-8"));
      return std::nullopt;
    }
    return text;
  }
  // The index of the argument's value among `choices`; absent: 0.
  size_t OneOf(absl::string_view argument,
               std::initializer_list<absl::string_view> choices,
               absl::string_view otherwise) {
    const std::optional<absl::string_view> text = String(argument);
    if (!text.has_value()) return 0;
    size_t index = 0;
    for (absl::string_view choice : choices) {
      if (*text == choice) return index;
      ++index;
    }
    Fail(argument, absl::StrCat(": ", otherwise));
    return 0;
  }
  bool Bool(absl::string_view argument) {
    const Value* value = Get(argument);
    if (value == nullptr) return false;
    const bool* flag = value->As<bool>();
    if (flag == nullptr) FailType(argument, *value);
    return flag != nullptr && *flag;
  }

 private:
  std::optional<int64_t> NotZero(absl::string_view argument,
                                 std::optional<int64_t> integer) {
    if (integer != 0) return integer;
    Fail(argument, ": {value_zero,0}");
    return std::nullopt;
  }
  void FailType(absl::string_view argument, const Value& value) {
    Fail(argument,
         absl::StrCat(": {unacceptable_type,", AmqpTypeName(value), "}"));
  }

  const QueueSpec& spec_;
  const absl::string_view vhost_;
  absl::Status status_;
};

std::optional<absl::Duration> Millis(std::optional<int64_t> ms) {
  if (!ms.has_value()) return std::nullopt;
  return absl::Milliseconds(*ms);
}

absl::Status ReadType(Reader* reader, QueueType* type) {
  const std::optional<absl::string_view> name = reader->String("x-queue-type");
  if (!name.has_value() || *name == "classic") return reader->status();
  if (*name == "quorum") {
    *type = QueueType::kQuorum;
  } else if (*name == "stream") {
    return MakeError(Reason::kFeatureUnsupported,
                     "queue type 'stream' is not supported");
  } else {
    reader->Fail("x-queue-type",
                 absl::StrCat(": \"unsupported queue type '", *name, "'\""));
  }
  return reader->status();
}

void CheckType(const QueueSpec& spec, QueueType type, Reader* reader) {
  const bool quorum = type == QueueType::kQuorum;
  const auto refuse = [&](absl::string_view argument) {
    if (reader->Get(argument) == nullptr) return;
    reader->Fail(argument, absl::StrCat(" of queue type ",
                                        quorum ? "rabbit_quorum_queue"
                                               : "rabbit_classic_queue"));
  };
  for (absl::string_view argument : kOfStreams) refuse(argument);
  if (!quorum) {
    for (absl::string_view argument : kNotClassic) refuse(argument);
    return;
  }
  for (absl::string_view argument : kNotQuorum) refuse(argument);
  const auto require = [reader](bool holds, absl::string_view property) {
    if (holds) return;
    reader->FailWith(property, absl::StrCat("invalid property '", property,
                                            "' for ", reader->Name()));
  };
  require(!spec.auto_delete, "auto-delete");
  require(!spec.exclusive, "exclusive-owner");
  require(spec.durable, "non-durable");
}

absl::Status Inequivalent(absl::string_view argument,
                          absl::string_view received, absl::string_view current,
                          absl::string_view queue, absl::string_view vhost) {
  return MakeError(Reason::kInequivalentArgument,
                   absl::StrCat("inequivalent arg '", argument, "' for ",
                                QueueName(queue, vhost), ": received ",
                                received, " but current is ", current),
                   {{"argument", argument},
                    {"received", received},
                    {"current", current},
                    {"queue", queue},
                    {"vhost", vhost}});
}

}  // namespace

std::optional<uint64_t> DeliveryLimitOf(const QueueArguments& arguments) {
  constexpr int64_t kQuorumDefault = 20;
  if (!arguments.delivery_limit.has_value() &&
      arguments.type == QueueType::kClassic) {
    return std::nullopt;
  }
  const int64_t limit = arguments.delivery_limit.value_or(kQuorumDefault);
  if (limit < 0) return std::nullopt;
  return static_cast<uint64_t>(limit);
}

bool KeepsDeadLetters(const QueueArguments& arguments) {
  return arguments.type == QueueType::kQuorum &&
         arguments.dead_letter_strategy == DeadLetterStrategy::kAtLeastOnce &&
         arguments.overflow == Overflow::kRejectPublish &&
         arguments.dead_letter_exchange.has_value();
}

absl::Status CheckQueueName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || !IsValidUtf8(name)) {
    return MakeError(Reason::kInvalidName,
                     absl::StrCat("a queue name is 1 to ", kMaxNameBytes,
                                  " bytes of UTF-8"));
  }
  if (absl::StartsWith(name, "amq.")) {
    return MakeError(Reason::kReservedName,
                     absl::StrCat("queue name '", name,
                                  "' contains reserved prefix 'amq.*'"),
                     {{"queue", name}});
  }
  return absl::OkStatus();
}

absl::StatusOr<QueueArguments> ParseQueueArguments(const QueueSpec& spec,
                                                   absl::string_view vhost) {
  Reader reader(spec, vhost);
  QueueArguments result;

  // In RabbitMQ's order, so that of several errors the same one is reported.
  if (const Value* exchange = reader.Get("x-dead-letter-exchange");
      exchange != nullptr && !StringOf(*exchange).has_value()) {
    reader.FailWith(
        "x-dead-letter-exchange",
        absl::StrCat("invalid type '", AmqpTypeName(*exchange),
                     "' for arg 'x-dead-letter-exchange' in ", reader.Name()));
  }
  if (absl::Status type = ReadType(&reader, &result.type); !type.ok()) {
    return type;
  }
  result.expires = reader.PositiveExpiry("x-expires");
  result.message_ttl = reader.Expiry("x-message-ttl");
  if (auto exchange = reader.ShortString("x-dead-letter-exchange")) {
    result.dead_letter_exchange.emplace(*exchange);
  }
  if (auto key = reader.ShortString("x-dead-letter-routing-key")) {
    if (!result.dead_letter_exchange.has_value()) {
      reader.Fail("x-dead-letter-routing-key",
                  ": routing_key_but_no_dlx_defined");
    }
    result.dead_letter_routing_key.emplace(*key);
  }
  result.dead_letter_strategy = static_cast<DeadLetterStrategy>(
      reader.OneOf("x-dead-letter-strategy", {"at-most-once", "at-least-once"},
                   "invalid_dlx_strategy"));
  result.max_length = reader.NonNegative("x-max-length");
  result.max_length_bytes = reader.NonNegative("x-max-length-bytes");
  if (auto priority = reader.NonNegative("x-max-priority")) {
    if (*priority > kMaxPriority) {
      reader.Fail("x-max-priority",
                  absl::StrCat(": {max_value_exceeded,", *priority, "}"));
    }
    if (result.type == QueueType::kClassic) {
      result.max_priority = static_cast<uint8_t>(*priority);
    }
  }
  result.overflow = static_cast<Overflow>(reader.OneOf(
      "x-overflow", {"drop-head", "reject-publish", "reject-publish-dlx"},
      "invalid_overflow"));
  reader.OneOf("x-queue-mode", {"default", "lazy"}, "invalid_queue_mode");
  if (auto version = reader.NonNegative("x-queue-version");
      version.has_value() && *version != 1 && *version != 2) {
    reader.Fail(
        "x-queue-version",
        absl::StrCat(": \"unsupported queue version '", *version, "'\""));
  }
  result.single_active_consumer = reader.Bool("x-single-active-consumer");
  // The plug-in does nothing in a quorum queue.
  result.deduplicates = reader.Bool("x-message-deduplication") &&
                        result.type == QueueType::kClassic;
  reader.Positive("x-quorum-initial-group-size");
  result.delivery_limit = reader.Integer("x-delivery-limit");
  result.retry_delay.type = static_cast<RetryDelay::Type>(reader.OneOf(
      "x-delayed-retry-type", {"disabled", "all", "failed", "returned"},
      "invalid_delayed_retry_type"));
  result.retry_delay.min = Millis(reader.NonNegative("x-delayed-retry-min"))
                               .value_or(absl::ZeroDuration());
  result.retry_delay.max = Millis(reader.NonNegative("x-delayed-retry-max"))
                               .value_or(absl::InfiniteDuration());
  if (auto timeout = reader.NonNegative("x-consumer-timeout");
      timeout.has_value() && *timeout > 0) {
    result.consumer_timeout = absl::Milliseconds(*timeout);
  }
  CheckType(spec, result.type, &reader);
  if (!reader.status().ok()) return reader.status();
  return result;
}

void NormalizeQueueSpec(QueueSpec* spec) {
  if (spec->exclusive) spec->durable = false;
}

absl::Status CheckEquivalent(const QueueSpec& current,
                             const QueueSpec& received,
                             absl::string_view vhost) {
  if (current.exclusive != received.exclusive) {
    return ResourceLockedError(current.name, vhost);
  }
  const auto text = [](bool flag) { return flag ? "'true'" : "'false'"; };
  if (current.durable != received.durable) {
    return Inequivalent("durable", text(received.durable),
                        text(current.durable), current.name, vhost);
  }
  if (current.auto_delete != received.auto_delete) {
    return Inequivalent("auto_delete", text(received.auto_delete),
                        text(current.auto_delete), current.name, vhost);
  }
  for (absl::string_view argument : kComparedArguments) {
    const Value* was = Find(current.arguments, argument);
    const Value* is = Find(received.arguments, argument);
    if (was == nullptr && is == nullptr) continue;
    if (was != nullptr && is != nullptr) {
      if (SameArgument(*was, *is)) continue;
      return Inequivalent(argument, absl::StrCat("'", Printed(*is), "'"),
                          absl::StrCat("'", Printed(*was), "'"), current.name,
                          vhost);
    }
    if (argument == "x-queue-type" && IsClassic(was) && IsClassic(is)) continue;
    const auto typed = [](const Value* value) -> std::string {
      if (value == nullptr) return "none";
      return absl::StrCat("the value '", Printed(*value), "' of type '",
                          AmqpTypeName(*value), "'");
    };
    return Inequivalent(argument, typed(is), typed(was), current.name, vhost);
  }
  return absl::OkStatus();
}

absl::Status ResourceLockedError(absl::string_view queue,
                                 absl::string_view vhost) {
  return MakeError(
      Reason::kResourceLocked,
      absl::StrCat("cannot obtain exclusive access to locked ",
                   QueueName(queue, vhost),
                   ". It could be originally declared on another connection or "
                   "the exclusive property value does not match that of the "
                   "original declaration."),
      {{"queue", queue}, {"vhost", vhost}});
}

absl::StatusOr<int64_t> ConsumerPriority(int32_t priority,
                                         const Table& arguments,
                                         absl::string_view queue,
                                         absl::string_view vhost) {
  const Value* value = Find(arguments, "x-priority");
  if (value == nullptr) return priority;
  const std::optional<int64_t> argument = IntegerOf(*value);
  if (!argument.has_value()) {
    return MakeError(
        Reason::kInvalidArgumentValue,
        absl::StrCat("invalid arg 'x-priority' for ", QueueName(queue, vhost),
                     ": \"expected integer, got ", AmqpTypeName(*value), "\""),
        {{"argument", "x-priority"}, {"queue", queue}, {"vhost", vhost}});
  }
  if (priority != 0 && priority != *argument) {
    return MakeError(
        Reason::kConflictingArgument,
        absl::StrCat("priority ", priority, " and the argument x-priority ",
                     *argument, " differ"),
        {{"argument", "x-priority"}, {"queue", queue}});
  }
  return *argument;
}

}  // namespace kelpmq::service
