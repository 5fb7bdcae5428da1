#ifndef KELPMQ_SERVICE_AUTH_VHOST_ACCESS_H_
#define KELPMQ_SERVICE_AUTH_VHOST_ACCESS_H_

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/auth/login.h"
#include "service/auth/user_store.h"

namespace kelpmq::service {

// What a login may do in one vhost, asked again and again: by a stream or a
// call, each with one of its own. Notices on its own when users or permissions
// have changed; while they have not, a check that was made before takes a
// look-up, and none for who may do everything.
//
// Thread-safety: thread-compatible. The login's store must outlive it.
class VhostAccess {
 public:
  // AUTH-03 to AUTH-05.
  enum class Permission { kConfigure, kWrite, kRead };
  enum class Resource { kExchange, kQueue };

  VhostAccess() = default;  // everything is allowed
  VhostAccess(LoginRef login, std::string vhost);

  // VHOST_ACCESS_REFUSED: the user has no permissions there (AUTH-02).
  absl::Status CheckVhost();

  // ACCESS_REFUSED unless the user's pattern matches the name; the default
  // exchange goes by the name of amq.default.
  absl::Status Check(Permission permission, Resource resource,
                     absl::string_view name);
  // ACCESS_REFUSED if the user has a rule for this exchange, which is a topic
  // exchange, that does not match the key (AUTH-10). kWrite or kRead.
  absl::Status CheckTopic(Permission permission, absl::string_view exchange,
                          absl::string_view routing_key);
  // False: every Check and CheckTopic will say OK.
  bool may_refuse();
  // Whether CheckTopic could say anything else than OK: only then need it be
  // known what type the exchange has.
  bool HasTopicRule(absl::string_view exchange);

  // USER_ID_MISMATCH unless it is empty, the user's own name, or the user may
  // impersonate (USERID-01, USERID-02).
  absl::Status CheckUserId(absl::string_view user_id);

 private:
  // Exchanges and queues whose answers are remembered, of each permission.
  static constexpr size_t kMaxRemembered = 1024;

  // Whether nothing need be looked up, as on a server without users.
  bool Unbound() const;
  // False: everything is allowed, but for topic rules.
  bool Restricted();
  void TakeUpChanges();
  void Refresh(uint64_t generation);
  const NamePattern& PatternOf(Permission permission) const;

  LoginRef login_;
  std::string vhost_;
  uint64_t generation_ = 0;
  AccountRef account_;  // null: the user is gone
  VhostRulesRef rules_;
  absl::flat_hash_map<std::string, bool> remembered_[3];  // by Permission
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_VHOST_ACCESS_H_
