#include "service/auth/user_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "service/base/error.h"
#include "service/base/names.h"

namespace kelpmq::service {
namespace {

bool HasTag(const User& user, absl::string_view tag) {
  return std::find(user.tags.begin(), user.tags.end(), tag) != user.tags.end();
}

AccountRef MakeAccount(User user, uint64_t credential) {
  auto account = std::make_shared<Account>();
  account->administrator = HasTag(user, kAdministratorTag);
  account->impersonator = HasTag(user, kImpersonatorTag);
  account->credential = credential;
  account->user = std::move(user);
  return account;
}

AccountRef MakeGuest() {
  auto account = std::make_shared<Account>();
  account->user.name = std::string(kGuest);
  account->user.tags = {std::string(kAdministratorTag)};
  account->administrator = true;
  account->unrestricted = true;
  return account;
}

// AUTH-10: RabbitMQ puts the names in as they are, unescaped.
std::string Expand(const std::string& pattern,
                   const TopicPermissionSet& permission) {
  return absl::StrReplaceAll(pattern, {{"{username}", permission.user},
                                       {"{vhost}", permission.vhost}});
}

}  // namespace

UserStore::UserStore(Guest guest)
    : guest_(guest == Guest::kYes ? MakeGuest() : nullptr),
      guest_is_open_(guest_ != nullptr),
      guest_is_unbound_(guest_ != nullptr) {
  if (guest_ != nullptr) users_.emplace(kGuest, guest_);
}

void UserStore::Changed() {
  auto guest = users_.find(kGuest);
  const bool open = guest != users_.end() && guest->second->unrestricted;
  const bool bound = std::any_of(
      rules_.begin(), rules_.end(),
      [](const auto& rules) { return rules.first.second == kGuest; });
  guest_is_open_.store(open, std::memory_order_release);
  guest_is_unbound_.store(open && !bound, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
}

// ---- Users ----

absl::StatusOr<bool> UserStore::PutUser(User user) {
  if (user.name.empty()) {
    return MakeError(Reason::kInvalidName, "a user needs a name",
                     {{"argument", "name"}});
  }
  if (absl::Status valid = CheckName("user", user.name); !valid.ok()) {
    return valid;
  }
  MutexLock lock(&mu_);
  AccountRef& account = users_[user.name];
  const bool created = account == nullptr;
  const bool same_password = !created && !account->unrestricted &&
                             account->user.password == user.password;
  const uint64_t credential =
      same_password ? account->credential : ++last_credential_;
  account = MakeAccount(std::move(user), credential);
  Changed();
  return created;
}

bool UserStore::DeleteUser(absl::string_view name) {
  MutexLock lock(&mu_);
  auto it = users_.find(name);
  if (it == users_.end()) return false;
  users_.erase(it);
  for (auto rule = rules_.begin(); rule != rules_.end();) {
    rule = rule->first.second == name ? rules_.erase(rule) : std::next(rule);
  }
  for (auto token = tokens_.begin(); token != tokens_.end();) {
    token =
        token->second.user == name ? tokens_.erase(token) : std::next(token);
  }
  Changed();
  return true;
}

AccountRef UserStore::FindUser(absl::string_view name) const {
  MutexLock lock(&mu_);
  auto it = users_.find(name);
  return it == users_.end() ? nullptr : it->second;
}

std::vector<User> UserStore::ListUsers(absl::string_view after,
                                       size_t limit) const {
  std::vector<User> page;
  MutexLock lock(&mu_);
  for (auto it = users_.upper_bound(after);
       it != users_.end() && page.size() < limit; ++it) {
    page.push_back(it->second->user);
  }
  return page;
}

absl::Status UserStore::CheckUser(absl::string_view name) const {
  if (users_.find(name) != users_.end()) return absl::OkStatus();
  return MakeError(Reason::kInvalidValue, absl::StrCat("no user '", name, "'"),
                   {{"argument", "user"}});
}

// ---- Tokens ----

absl::Status UserStore::AddToken(Token token) {
  MutexLock lock(&mu_);
  if (absl::Status known = CheckUser(token.user); !known.ok()) return known;
  std::string key = token.sha256;
  tokens_.insert_or_assign(std::move(key), std::move(token));
  Changed();
  return absl::OkStatus();
}

std::optional<Token> UserStore::FindToken(absl::string_view sha256) const {
  MutexLock lock(&mu_);
  auto it = tokens_.find(sha256);
  if (it == tokens_.end()) return std::nullopt;
  return it->second;
}

std::vector<absl::Time> UserStore::TokenExpiries() const {
  std::vector<absl::Time> times;
  MutexLock lock(&mu_);
  for (const auto& [sha256, token] : tokens_) {
    if (token.expire_time != absl::InfiniteFuture()) {
      times.push_back(token.expire_time);
    }
  }
  return times;
}

// ---- Permissions ----

VhostRules UserStore::RulesOf(const PermissionKey& key) const {
  auto it = rules_.find(key);
  return it == rules_.end() ? VhostRules() : *it->second;
}

void UserStore::PutRules(const PermissionKey& key, VhostRules rules) {
  if (!rules.permission.has_value() && rules.topics.empty()) {
    rules_.erase(key);
  } else {
    rules_[key] = std::make_shared<VhostRules>(std::move(rules));
  }
  Changed();
}

absl::Status UserStore::SetPermission(PermissionSet permission) {
  absl::StatusOr<NamePattern> configure =
      NamePattern::Compile("configure", permission.configure);
  if (!configure.ok()) return configure.status();
  absl::StatusOr<NamePattern> write =
      NamePattern::Compile("write", permission.write);
  if (!write.ok()) return write.status();
  absl::StatusOr<NamePattern> read =
      NamePattern::Compile("read", permission.read);
  if (!read.ok()) return read.status();

  const PermissionKey key(permission.vhost, permission.user);
  MutexLock lock(&mu_);
  if (absl::Status known = CheckUser(permission.user); !known.ok()) {
    return known;
  }
  VhostRules rules = RulesOf(key);
  rules.permission =
      VhostRules::Permission{std::move(permission), *std::move(configure),
                             *std::move(write), *std::move(read)};
  PutRules(key, std::move(rules));
  return absl::OkStatus();
}

absl::Status UserStore::SetTopicPermission(TopicPermissionSet permission) {
  absl::StatusOr<NamePattern> write =
      NamePattern::Compile("write", Expand(permission.write, permission));
  if (!write.ok()) return write.status();
  absl::StatusOr<NamePattern> read =
      NamePattern::Compile("read", Expand(permission.read, permission));
  if (!read.ok()) return read.status();

  const PermissionKey key(permission.vhost, permission.user);
  MutexLock lock(&mu_);
  if (absl::Status known = CheckUser(permission.user); !known.ok()) {
    return known;
  }
  VhostRules rules = RulesOf(key);
  std::string exchange = permission.exchange;
  rules.topics.insert_or_assign(
      std::move(exchange),
      VhostRules::Topic{std::move(permission), *std::move(write),
                        *std::move(read)});
  PutRules(key, std::move(rules));
  return absl::OkStatus();
}

bool UserStore::ClearPermission(absl::string_view vhost,
                                absl::string_view user) {
  const PermissionKey key(vhost, user);
  MutexLock lock(&mu_);
  VhostRules rules = RulesOf(key);
  if (!rules.permission.has_value()) return false;
  rules.permission.reset();
  PutRules(key, std::move(rules));
  return true;
}

bool UserStore::ClearTopicPermissions(
    absl::string_view vhost, absl::string_view user,
    std::optional<absl::string_view> exchange) {
  const PermissionKey key(vhost, user);
  MutexLock lock(&mu_);
  VhostRules rules = RulesOf(key);
  if (exchange.has_value()) {
    auto it = rules.topics.find(*exchange);
    if (it == rules.topics.end()) return false;
    rules.topics.erase(it);
  } else {
    if (rules.topics.empty()) return false;
    rules.topics.clear();
  }
  PutRules(key, std::move(rules));
  return true;
}

void UserStore::ForgetVhost(absl::string_view vhost) {
  MutexLock lock(&mu_);
  auto begin = rules_.lower_bound(PermissionKey(vhost, ""));
  auto end = begin;
  while (end != rules_.end() && end->first.first == vhost) ++end;
  rules_.erase(begin, end);
  Changed();
}

VhostRulesRef UserStore::FindRules(absl::string_view vhost,
                                   absl::string_view user) const {
  static const auto* const none =
      new VhostRulesRef(std::make_shared<VhostRules>());
  MutexLock lock(&mu_);
  auto it = rules_.find(PermissionKey(vhost, user));
  return it == rules_.end() ? *none : it->second;
}

std::vector<PermissionSet> UserStore::ListPermissions(
    absl::string_view vhost, absl::string_view user, const PermissionKey& after,
    size_t limit) const {
  std::vector<PermissionSet> page;
  MutexLock lock(&mu_);
  for (auto it = rules_.upper_bound(after);
       it != rules_.end() && page.size() < limit; ++it) {
    if (!it->second->permission.has_value()) continue;
    const PermissionSet& set = it->second->permission->set;
    if ((vhost.empty() || set.vhost == vhost) &&
        (user.empty() || set.user == user)) {
      page.push_back(set);
    }
  }
  return page;
}

std::vector<TopicPermissionSet> UserStore::ListTopicPermissions(
    absl::string_view vhost, absl::string_view user, const TopicKey& after,
    size_t limit) const {
  std::vector<TopicPermissionSet> page;
  MutexLock lock(&mu_);
  for (const auto& [key, rules] : rules_) {
    for (const auto& [exchange, topic] : rules->topics) {
      if (page.size() == limit) return page;
      const TopicPermissionSet& set = topic.set;
      if ((vhost.empty() || set.vhost == vhost) &&
          (user.empty() || set.user == user) &&
          TopicKey(set.vhost, set.user, exchange) > after) {
        page.push_back(set);
      }
    }
  }
  return page;
}

}  // namespace kelpmq::service
