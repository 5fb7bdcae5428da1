#include "service/auth/login_cache.h"

#include <utility>

#include "service/auth/sodium.h"

namespace kelpmq::service {
namespace {

Secret RandomKey() {
  InitSodium();
  char key[crypto_generichash_KEYBYTES];
  randombytes_buf(key, sizeof(key));
  Secret secret(absl::string_view(key, sizeof(key)));
  Wipe(key, sizeof(key));
  return secret;
}

}  // namespace

LoginKeys::LoginKeys() : secret_(RandomKey()) {}

LoginKey LoginKeys::Of(absl::string_view header) const {
  LoginKey key;
  const absl::string_view secret = secret_.view();
  crypto_generichash(
      key.data(), key.size(),
      reinterpret_cast<const unsigned char*>(header.data()), header.size(),
      reinterpret_cast<const unsigned char*>(secret.data()), secret.size());
  return key;
}

LoginRef LoginCache::Find(const LoginKey& key) const {
  auto it = logins_.find(key);
  return it == logins_.end() ? nullptr : it->second;
}

void LoginCache::Put(const LoginKey& key, LoginRef login) {
  if (logins_.insert_or_assign(key, std::move(login)).second) {
    order_.push_back(key);
  }
  while (order_.size() > kMaxLogins) {
    logins_.erase(order_.front());
    order_.pop_front();
  }
}

void LoginCache::Drop(const LoginKey& key) { logins_.erase(key); }

}  // namespace kelpmq::service
