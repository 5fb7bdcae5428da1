#include "service/engine/memory/policies.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "service/base/error.h"
#include "service/base/utf8.h"

namespace kelpmq::service {
namespace {

constexpr int64_t kNoMaximum = std::numeric_limits<int64_t>::max();

// A setting that counts something, and what it may be.
struct NumberSetting {
  absl::string_view name;
  int64_t low;
  int64_t high = kNoMaximum;
};
constexpr NumberSetting kNumbers[] = {
    {"message-ttl", 0, kMaxExpiryMs},
    {"expires", 1, kMaxExpiryMs},
    {"max-length", 0},
    {"max-length-bytes", 0},
    {"delivery-limit", -1},  // -1: none
    {"consumer-timeout", 0},
    {"delayed-retry-min", 0},
    {"delayed-retry-max", 0},
};

// A setting that is a string; with choices, one of them.
struct StringSetting {
  absl::string_view name;
  std::vector<absl::string_view> choices;
};
const std::vector<StringSetting>& StringSettings() {
  static const auto* const settings = new std::vector<StringSetting>{
      {"overflow", {"drop-head", "reject-publish", "reject-publish-dlx"}},
      {"dead-letter-exchange", {}},
      {"dead-letter-routing-key", {}},
      {"dead-letter-strategy", {"at-most-once", "at-least-once"}},
      {"delayed-retry-type", {"disabled", "all", "failed", "returned"}},
      {"alternate-exchange", {}},
      {"queue-mode", {"default", "lazy"}},  // without effect, as in 4.x
  };
  return *settings;
}

// What RabbitMQ knows and what means nothing on one node, or here: taken, so
// that its definitions can be.
constexpr absl::string_view kWithoutEffect[] = {
    "ha-mode",
    "ha-params",
    "ha-promote-on-failure",
    "ha-promote-on-shutdown",
    "ha-sync-batch-size",
    "ha-sync-mode",
    "initial-cluster-size",
    "max-age",
    "max-in-memory-bytes",
    "max-in-memory-length",
    "queue-leader-locator",
    "queue-master-locator",
    "queue-version",
    "stream-max-segment-size-bytes",
    "target-group-size",
};

absl::Status InvalidSetting(absl::string_view name, absl::string_view why) {
  return MakeError(Reason::kInvalidValue,
                   absl::StrCat("policy setting '", name, "' ", why),
                   {{"argument", name}});
}

absl::Status CheckNumber(const NumberSetting& setting, const Value& value) {
  const std::optional<int64_t> number = IntegerOf(value);
  if (number.has_value() && *number >= setting.low && *number <= setting.high) {
    return absl::OkStatus();
  }
  const std::string range =
      setting.high == kNoMaximum
          ? absl::StrCat("of at least ", setting.low)
          : absl::StrCat("from ", setting.low, " to ", setting.high);
  return InvalidSetting(
      setting.name, absl::StrCat("is an integer ", range, ", not ",
                                 AmqpTypeName(value), " ", DebugString(value)));
}

absl::Status CheckString(const StringSetting& setting, const Value& value) {
  const auto text = StringOf(value);
  if (!text.has_value()) {
    return InvalidSetting(
        setting.name, absl::StrCat("is a string, not ", AmqpTypeName(value)));
  }
  if (text->size() > kMaxNameBytes || !IsValidUtf8(*text)) {
    return InvalidSetting(
        setting.name,
        absl::StrCat("is not up to ", kMaxNameBytes, " bytes of UTF-8"));
  }
  const auto& choices = setting.choices;
  if (choices.empty() ||
      std::find(choices.begin(), choices.end(), *text) != choices.end()) {
    return absl::OkStatus();
  }
  return InvalidSetting(setting.name,
                        absl::StrCat("has an unknown value '", *text, "'"));
}

absl::Status CheckSetting(absl::string_view name, const Value& value) {
  for (const NumberSetting& setting : kNumbers) {
    if (setting.name == name) return CheckNumber(setting, value);
  }
  for (const StringSetting& setting : StringSettings()) {
    if (setting.name == name) return CheckString(setting, value);
  }
  for (const absl::string_view setting : kWithoutEffect) {
    if (setting == name) return absl::OkStatus();
  }
  return InvalidSetting(name, "is not recognised");
}

const Value* Setting(const PolicyInfo& policy, absl::string_view name) {
  const auto it = policy.definition.find(name);
  return it == policy.definition.end() ? nullptr : &it->second;
}
std::optional<int64_t> NumberOf(const PolicyInfo& policy,
                                absl::string_view name) {
  const Value* const value = Setting(policy, name);
  return value == nullptr ? std::nullopt : IntegerOf(*value);
}
std::optional<absl::Duration> MillisOf(const PolicyInfo& policy,
                                       absl::string_view name) {
  const std::optional<int64_t> ms = NumberOf(policy, name);
  if (!ms.has_value()) return std::nullopt;
  return absl::Milliseconds(*ms);
}
// The string that a policy sets, unless the queue has an argument for it.
std::optional<std::string> StringFor(const QueueSpec& spec,
                                     const PolicyInfo& policy,
                                     absl::string_view name) {
  const Value* const value = Setting(policy, name);
  if (value == nullptr || spec.arguments.count(absl::StrCat("x-", name)) > 0) {
    return std::nullopt;
  }
  return std::string(*StringOf(*value));
}

// The smaller of what is set.
template <typename T, typename U>
void Lower(const std::optional<U>& setting, std::optional<T>* argument) {
  if (!setting.has_value()) return;
  const T value = static_cast<T>(*setting);
  if (!argument->has_value() || value < **argument) *argument = value;
}

// POLICY-02 for the type, POLICY-05 for the times.
void ApplyRetryDelay(const QueueSpec& spec, const PolicyInfo& policy,
                     RetryDelay* delay) {
  if (const auto type = StringFor(spec, policy, "delayed-retry-type")) {
    delay->type = *type == "all"        ? RetryDelay::Type::kAll
                  : *type == "failed"   ? RetryDelay::Type::kFailed
                  : *type == "returned" ? RetryDelay::Type::kReturned
                                        : RetryDelay::Type::kDisabled;
  }
  if (const auto min = MillisOf(policy, "delayed-retry-min")) {
    const bool declared = spec.arguments.count("x-delayed-retry-min") > 0;
    delay->min = declared ? std::min(delay->min, *min) : *min;
  }
  if (const auto max = MillisOf(policy, "delayed-retry-max")) {
    delay->max = std::min(delay->max, *max);
  }
}

// A negative limit is none, and greater than any.
int64_t Limit(int64_t limit) { return limit < 0 ? kNoMaximum : limit; }

}  // namespace

Policies::Policies() = default;
Policies::~Policies() = default;

absl::StatusOr<bool> Policies::Put(PolicyInfo policy) {
  if (policy.name.empty() || policy.name.size() > kMaxNameBytes ||
      !IsValidUtf8(policy.name)) {
    return MakeError(Reason::kInvalidName,
                     absl::StrCat("a policy name is 1 to ", kMaxNameBytes,
                                  " bytes of UTF-8"));
  }
  auto pattern = std::make_unique<re2::RE2>(policy.pattern,
                                            re2::RE2::CannedOptions::Quiet);
  if (!pattern->ok()) {
    return MakeError(
        Reason::kInvalidValue,
        absl::StrCat("pattern '", policy.pattern,
                     "' is no regular expression: ", pattern->error()),
        {{"argument", "pattern"}});
  }
  for (const auto& [name, value] : policy.definition) {
    absl::Status valid = CheckSetting(name, value);
    if (!valid.ok()) return valid;
  }
  Entry& entry = policies_[policy.name];
  const bool created = entry.pattern == nullptr;
  entry.info = std::move(policy);
  entry.pattern = std::move(pattern);
  return created;
}

bool Policies::Delete(const std::string& name) {
  return policies_.erase(name) > 0;
}

const PolicyInfo* Policies::FindForQueue(absl::string_view name,
                                         QueueType type) const {
  return Find(name,
              {PolicyTarget::kAll, PolicyTarget::kQueues,
               type == QueueType::kQuorum ? PolicyTarget::kQuorumQueues
                                          : PolicyTarget::kClassicQueues});
}

const PolicyInfo* Policies::FindForExchange(absl::string_view name) const {
  return Find(name, {PolicyTarget::kAll, PolicyTarget::kExchanges});
}

const PolicyInfo* Policies::Find(
    absl::string_view name, std::initializer_list<PolicyTarget> targets) const {
  const PolicyInfo* found = nullptr;
  for (const auto& [policy_name, entry] : policies_) {
    const PolicyInfo& info = entry.info;
    if (std::find(targets.begin(), targets.end(), info.apply_to) ==
        targets.end()) {
      continue;
    }
    if (found != nullptr && info.priority <= found->priority) continue;
    if (re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()),
                               *entry.pattern)) {
      found = &info;
    }
  }
  return found;
}

std::vector<PolicyInfo> Policies::List() const {
  std::vector<PolicyInfo> list;
  list.reserve(policies_.size());
  for (const auto& [name, entry] : policies_) list.push_back(entry.info);
  return list;
}

QueueArguments UnderPolicy(const QueueSpec& spec,
                           const QueueArguments& declared,
                           const PolicyInfo* policy) {
  QueueArguments effective = declared;
  if (policy == nullptr) return effective;
  Lower(MillisOf(*policy, "message-ttl"), &effective.message_ttl);
  Lower(MillisOf(*policy, "expires"), &effective.expires);
  Lower(NumberOf(*policy, "max-length"), &effective.max_length);
  Lower(NumberOf(*policy, "max-length-bytes"), &effective.max_length_bytes);
  if (const auto limit = NumberOf(*policy, "delivery-limit")) {
    if (!declared.delivery_limit.has_value() ||
        Limit(*limit) < Limit(*declared.delivery_limit)) {
      effective.delivery_limit = *limit;
    }
  }
  if (const auto timeout = MillisOf(*policy, "consumer-timeout")) {
    // 0: none, as for the argument.
    if (*timeout > absl::ZeroDuration()) {
      effective.consumer_timeout =
          std::min(effective.consumer_timeout, *timeout);
    }
  }
  if (const auto overflow = StringFor(spec, *policy, "overflow")) {
    effective.overflow =
        *overflow == "reject-publish"       ? Overflow::kRejectPublish
        : *overflow == "reject-publish-dlx" ? Overflow::kRejectPublishDlx
                                            : Overflow::kDropHead;
  }
  if (auto exchange = StringFor(spec, *policy, "dead-letter-exchange")) {
    effective.dead_letter_exchange = std::move(*exchange);
  }
  if (auto key = StringFor(spec, *policy, "dead-letter-routing-key")) {
    effective.dead_letter_routing_key = std::move(*key);
  }
  if (const auto strategy = StringFor(spec, *policy, "dead-letter-strategy")) {
    effective.dead_letter_strategy = *strategy == "at-least-once"
                                         ? DeadLetterStrategy::kAtLeastOnce
                                         : DeadLetterStrategy::kAtMostOnce;
  }
  if (declared.type == QueueType::kQuorum) {
    ApplyRetryDelay(spec, *policy, &effective.retry_delay);
  }
  return effective;
}

std::optional<std::string> AlternateOf(const PolicyInfo* policy) {
  const Value* const value =
      policy == nullptr ? nullptr : Setting(*policy, "alternate-exchange");
  if (value == nullptr) return std::nullopt;
  return std::string(*StringOf(*value));
}

}  // namespace kelpmq::service
