#ifndef KELPMQ_SERVICE_AUTH_USER_STORE_H_
#define KELPMQ_SERVICE_AUTH_USER_STORE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/auth/name_pattern.h"
#include "service/auth/user.h"
#include "service/base/mutex.h"

namespace kelpmq::service {

// The patterns of one user in one vhost, ready to be matched. Immutable.
struct VhostRules {
  struct Permission {
    PermissionSet set;
    NamePattern configure;
    NamePattern write;
    NamePattern read;
  };
  struct Topic {
    TopicPermissionSet set;
    NamePattern write;
    NamePattern read;
  };
  std::optional<Permission> permission;  // nullopt: no access to the vhost
  std::map<std::string, Topic, std::less<>> topics;  // by exchange
};
using VhostRulesRef = std::shared_ptr<const VhostRules>;

// The users of a server with their tokens and permissions. Knows nothing of
// which vhosts there are.
// Thread-safety: thread-safe. Must outlive the logins that come from it.
class UserStore {
 public:
  enum class Guest { kYes, kNo };

  // kYes: there is the user `guest`, who may do everything.
  explicit UserStore(Guest guest = Guest::kYes);

  // Grows with each change. Whoever has taken something out of the store takes
  // it anew when this has moved.
  uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }

  // ---- Users ----

  // Makes or replaces. True: made. A user whose password stays keeps its
  // logins. INVALID_NAME.
  absl::StatusOr<bool> PutUser(User user);
  // With its permissions and tokens. False: there is no such user.
  bool DeleteUser(absl::string_view name);
  // Null: no such user.
  AccountRef FindUser(absl::string_view name) const;
  // With names greater than `after`, in order, `limit` at the most.
  std::vector<User> ListUsers(absl::string_view after, size_t limit) const;

  // The `guest` that came with the server; null if none did, though it may
  // be gone by now.
  const AccountRef& guest() const { return guest_; }
  // Whether that one is still there, and calls that say nothing of themselves
  // stand for it. No lock.
  bool guest_is_open() const {
    return guest_is_open_.load(std::memory_order_acquire);
  }
  // Whether it may also do everything everywhere: nothing was set for it by
  // name. No lock.
  bool guest_is_unbound() const {
    return guest_is_unbound_.load(std::memory_order_acquire);
  }

  // ---- Tokens ----

  // INVALID_VALUE: no such user.
  absl::Status AddToken(Token token);
  // The token with this SHA-256, expired or not.
  std::optional<Token> FindToken(absl::string_view sha256) const;

  // When tokens expire, those that ever do.
  std::vector<absl::Time> TokenExpiries() const;

  // ---- Permissions ----

  // INVALID_VALUE: no such user, or a pattern that is none. Nothing is changed
  // then.
  absl::Status SetPermission(PermissionSet permission);
  absl::Status SetTopicPermission(TopicPermissionSet permission);
  // False: there was none.
  bool ClearPermission(absl::string_view vhost, absl::string_view user);
  // One exchange's, or all that the user has in the vhost.
  bool ClearTopicPermissions(absl::string_view vhost, absl::string_view user,
                             std::optional<absl::string_view> exchange);
  // The vhost is gone.
  void ForgetVhost(absl::string_view vhost);

  // Never null.
  VhostRulesRef FindRules(absl::string_view vhost,
                          absl::string_view user) const;

  // By vhost, user and, for topics, exchange. Empty filters let everything
  // pass; keys are those that the lists go by.
  using PermissionKey = std::pair<std::string, std::string>;
  using TopicKey = std::tuple<std::string, std::string, std::string>;
  std::vector<PermissionSet> ListPermissions(absl::string_view vhost,
                                             absl::string_view user,
                                             const PermissionKey& after,
                                             size_t limit) const;
  std::vector<TopicPermissionSet> ListTopicPermissions(absl::string_view vhost,
                                                       absl::string_view user,
                                                       const TopicKey& after,
                                                       size_t limit) const;

 private:
  using Rules = std::map<PermissionKey, VhostRulesRef>;

  absl::Status CheckUser(absl::string_view name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A copy to be changed and put back.
  VhostRules RulesOf(const PermissionKey& key) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Drops entries without content.
  void PutRules(const PermissionKey& key, VhostRules rules)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After each change.
  void Changed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const AccountRef guest_;
  std::atomic<uint64_t> generation_{1};
  std::atomic<bool> guest_is_open_;
  std::atomic<bool> guest_is_unbound_;
  mutable Mutex mu_;
  uint64_t last_credential_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, AccountRef, std::less<>> users_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Token, std::less<>> tokens_ ABSL_GUARDED_BY(mu_);
  Rules rules_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_USER_STORE_H_
