#include "service/auth/vhost_access.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

constexpr absl::string_view kDefaultExchangeName = "amq.default";

}  // namespace

VhostAccess::VhostAccess(LoginRef login, std::string vhost)
    : login_(std::move(login)), vhost_(std::move(vhost)) {}

bool VhostAccess::Unbound() const {
  return login_ == nullptr ||
         (login_->account->unrestricted && login_->store->guest_is_unbound());
}

bool VhostAccess::Restricted() {
  if (Unbound()) return false;
  TakeUpChanges();
  // What was set for `guest` by name holds, though it came with everything.
  return account_ == nullptr || !account_->unrestricted ||
         rules_->permission.has_value();
}

void VhostAccess::TakeUpChanges() {
  const uint64_t generation = login_->store->generation();
  if (generation != generation_) Refresh(generation);
}

void VhostAccess::Refresh(uint64_t generation) {
  // Read first: what changes meanwhile is seen by the next check.
  generation_ = generation;
  account_ = login_->store->FindUser(login_->account->user.name);
  rules_ = login_->store->FindRules(vhost_, login_->account->user.name);
  for (auto& remembered : remembered_) remembered.clear();
}

absl::Status VhostAccess::CheckVhost() {
  if (!Restricted() || rules_->permission.has_value()) return absl::OkStatus();
  return MakeError(Reason::kVhostAccessRefused,
                   absl::StrCat("access to vhost '", vhost_,
                                "' refused for user '", UserOf(login_), "'"),
                   {{"vhost", vhost_}});
}

const NamePattern& VhostAccess::PatternOf(Permission permission) const {
  static const auto* const nothing = new NamePattern();
  if (!rules_->permission.has_value()) return *nothing;
  switch (permission) {
    case Permission::kConfigure:
      return rules_->permission->configure;
    case Permission::kWrite:
      return rules_->permission->write;
    case Permission::kRead:
      return rules_->permission->read;
  }
  return *nothing;
}

absl::Status VhostAccess::Check(Permission permission, Resource resource,
                                absl::string_view name) {
  if (!Restricted()) return absl::OkStatus();
  const bool is_exchange = resource == Resource::kExchange;
  if (is_exchange && name.empty()) name = kDefaultExchangeName;
  // What a name is called does not matter to a pattern: exchanges and queues
  // share the memory.
  auto& remembered = remembered_[static_cast<size_t>(permission)];
  auto it = remembered.find(name);
  if (it == remembered.end()) {
    if (remembered.size() >= kMaxRemembered) remembered.clear();
    const bool allowed =
        rules_->permission.has_value() && PatternOf(permission).Matches(name);
    it = remembered.emplace(name, allowed).first;
  }
  if (it->second) return absl::OkStatus();
  return MakeError(
      Reason::kAccessRefused,
      absl::StrCat("access to ", is_exchange ? "exchange" : "queue", " '", name,
                   "' in vhost '", vhost_, "' refused for user '",
                   UserOf(login_), "'"),
      {{"vhost", vhost_}, {is_exchange ? "exchange" : "queue", name}});
}

bool VhostAccess::may_refuse() {
  return Restricted() || (!Unbound() && !rules_->topics.empty());
}

bool VhostAccess::HasTopicRule(absl::string_view exchange) {
  if (Unbound()) return false;
  TakeUpChanges();
  return !rules_->topics.empty() &&
         rules_->topics.find(exchange) != rules_->topics.end();
}

absl::Status VhostAccess::CheckTopic(Permission permission,
                                     absl::string_view exchange,
                                     absl::string_view routing_key) {
  if (Unbound()) return absl::OkStatus();
  TakeUpChanges();
  auto it = rules_->topics.find(exchange);
  if (it == rules_->topics.end()) return absl::OkStatus();
  const NamePattern& pattern =
      permission == Permission::kWrite ? it->second.write : it->second.read;
  if (pattern.Matches(routing_key)) return absl::OkStatus();
  return MakeError(
      Reason::kAccessRefused,
      absl::StrCat("access to topic '", routing_key, "' in exchange '",
                   exchange, "' in vhost '", vhost_, "' refused for user '",
                   UserOf(login_), "'"),
      {{"vhost", vhost_}, {"exchange", exchange}});
}

absl::Status VhostAccess::CheckUserId(absl::string_view user_id) {
  if (user_id.empty()) return absl::OkStatus();
  const std::string user = UserOf(login_);
  if (user_id == user) return absl::OkStatus();
  if (login_ != nullptr) {
    TakeUpChanges();
    if (account_ != nullptr && account_->impersonator) return absl::OkStatus();
  }
  return MakeError(Reason::kUserIdMismatch,
                   absl::StrCat("user_id property set to '", user_id,
                                "' but authenticated user was '", user, "'"),
                   {{"argument", "user_id"}});
}

}  // namespace kelpmq::service
