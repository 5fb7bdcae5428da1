#ifndef KELPMQ_SERVICE_AUTH_LOGIN_CACHE_H_
#define KELPMQ_SERVICE_AUTH_LOGIN_CACHE_H_

#include <array>
#include <cstddef>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "service/auth/login.h"
#include "service/auth/secret.h"

namespace kelpmq::service {

// Stands for an `authorization` header without telling what is in it: its hash
// under a key that is made at the start and known to nobody.
using LoginKey = std::array<unsigned char, 32>;

// Thread-safety: immutable, so thread-safe.
class LoginKeys {
 public:
  LoginKeys();
  LoginKey Of(absl::string_view header) const;

 private:
  const Secret secret_;
};

// The logins of credentials that have been verified, so that a slow hash is
// computed once for each client and not for each call.
// Thread-safety: thread-compatible.
class LoginCache {
 public:
  // Over it the oldest are verified again.
  static constexpr size_t kMaxLogins = 10'000;

  // Null: not known. Whether the login is still good is for the caller to see.
  LoginRef Find(const LoginKey& key) const;
  void Put(const LoginKey& key, LoginRef login);
  void Drop(const LoginKey& key);

 private:
  absl::flat_hash_map<LoginKey, LoginRef> logins_;
  std::deque<LoginKey> order_;  // by age; may name dropped ones
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_LOGIN_CACHE_H_
