#ifndef KELPMQ_SERVICE_AUTH_USER_H_
#define KELPMQ_SERVICE_AUTH_USER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "service/auth/password_hash.h"

namespace kelpmq::service {

// Tags that mean something here; others are kept.
inline constexpr absl::string_view kAdministratorTag = "administrator";
inline constexpr absl::string_view kImpersonatorTag = "impersonator";

// Who everybody is until the user of this name is replaced or deleted: an
// administrator who may do everything. As RabbitMQ's user of the same name, it
// also has its name for a password.
inline constexpr absl::string_view kGuest = "guest";

// A user, as administrators make and see it.
struct User {
  std::string name;
  std::vector<std::string> tags;
  PasswordHash password;
};

// What a user may do in a vhost (AUTH-03 to AUTH-09).
struct PermissionSet {
  std::string vhost;
  std::string user;
  std::string configure;
  std::string write;
  std::string read;

  friend bool operator==(const PermissionSet& a, const PermissionSet& b) {
    return a.vhost == b.vhost && a.user == b.user &&
           a.configure == b.configure && a.write == b.write && a.read == b.read;
  }
};

// Which routing keys a user may use with a topic exchange (AUTH-10). In the
// patterns {username} and {vhost} stand for what they name.
struct TopicPermissionSet {
  std::string vhost;
  std::string user;
  std::string exchange;
  std::string write;
  std::string read;

  friend bool operator==(const TopicPermissionSet& a,
                         const TopicPermissionSet& b) {
    return a.vhost == b.vhost && a.user == b.user && a.exchange == b.exchange &&
           a.write == b.write && a.read == b.read;
  }
};

// A token that stands for a user, kept as the SHA-256 of its text: a token is
// random, so nothing is gained by a slow hash.
struct Token {
  std::string user;
  std::string sha256;  // 32 bytes
  absl::Time expire_time = absl::InfiniteFuture();
};

// A user as those who are logged in share it. Replaced as a whole when it
// changes.
struct Account {
  User user;
  bool administrator = false;
  bool impersonator = false;
  // May do everything everywhere: `guest` as long as nobody has touched it.
  bool unrestricted = false;
  // Changes with the password: logins made with an older one have ended.
  uint64_t credential = 0;
};
using AccountRef = std::shared_ptr<const Account>;

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_USER_H_
