#include "service/auth/authenticator.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/auth/sodium.h"
#include "service/base/error.h"

namespace kelpmq::service {
namespace {

// "ipv4:10.0.0.7:4711" -> "ipv4:10.0.0.7": a client changes its port at will.
absl::string_view HostOf(absl::string_view peer) {
  const size_t colon = peer.rfind(':');
  return colon == absl::string_view::npos ? peer : peer.substr(0, colon);
}

std::string ThrottleKey(absl::string_view peer, absl::string_view user) {
  return absl::StrCat(HostOf(peer), "\n", user);
}

LoginRef MakeLogin(const UserStore* store, AccountRef account,
                   absl::Time expire_time) {
  auto login = std::make_shared<Login>();
  login->store = store;
  login->account = std::move(account);
  login->expire_time = expire_time;
  return login;
}

std::string Sha256(absl::string_view text) {
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                     reinterpret_cast<const unsigned char*>(text.data()),
                     text.size());
  return digest;
}

bool SamePassword(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() &&
         sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Authenticator::Authenticator(UserStore* store, const Clock* clock,
                             Executor* slow, AuditLog* audit)
    : store_(store),
      clock_(clock),
      slow_(slow),
      audit_(audit),
      nobodys_(PasswordHash::MakeUnknown()),
      anonymous_(MakeLogin(store, store->guest(), absl::InfiniteFuture())) {}

std::optional<Authenticator::Verdict> Authenticator::Recognize(
    absl::string_view header) {
  if (header.empty()) {
    if (store_->guest_is_open()) return anonymous_;
    return MakeError(Reason::kBadCredentials,
                     "this server asks who you are: send the metadata "
                     "authorization: Basic BASE64(user:password)");
  }
  return FromCache(keys_.Of(header));
}

std::optional<Authenticator::Verdict> Authenticator::FromCache(
    const LoginKey& key) {
  LoginRef login;
  {
    MutexLock lock(&mu_);
    login = cache_.Find(key);
  }
  if (login == nullptr) return std::nullopt;
  absl::Status valid = CheckStillValid(login, clock_->Now());
  if (valid.ok()) return login;
  {
    MutexLock lock(&mu_);
    cache_.Drop(key);
  }
  // A password may have become right in the meantime; a token has not.
  if (HasReason(valid, Reason::kTokenExpired)) return valid;
  return std::nullopt;
}

void Authenticator::Verify(absl::string_view header, std::string peer,
                           absl::AnyInvocable<void(Verdict)> done) {
  bool full;
  {
    MutexLock lock(&mu_);
    full = waiting_ >= kMaxWaiting;
    if (!full) ++waiting_;
  }
  if (full) {
    std::move(done)(MakeError(
        Reason::kLimitExceeded,
        absl::StrCat("more than ", kMaxWaiting, " logins wait to be verified"),
        {{"limit", absl::StrCat(kMaxWaiting)}}));
    return;
  }
  slow_->Post([this, secret = Secret(header), peer = std::move(peer),
               done = std::move(done)]() mutable {
    RunVerification(secret, peer, std::move(done));
  });
}

void Authenticator::RunVerification(const Secret& header,
                                    const std::string& peer,
                                    absl::AnyInvocable<void(Verdict)> done) {
  // Another call of the same client may have been verified since.
  const LoginKey key = keys_.Of(header.view());
  std::optional<Verdict> verdict = FromCache(key);
  if (!verdict.has_value()) {
    absl::StatusOr<Authorization> authorization =
        ParseAuthorization(header.view());
    if (!authorization.ok()) {
      verdict = authorization.status();
    } else if (authorization->scheme == Authorization::Scheme::kBearer) {
      verdict = CheckToken(authorization->secret.view(), peer);
    } else {
      verdict = CheckPassword(*authorization, peer);
    }
  }
  {
    MutexLock lock(&mu_);
    --waiting_;
    if (verdict->ok()) cache_.Put(key, **verdict);
  }
  std::move(done)(*std::move(verdict));
}

Authenticator::Verdict Authenticator::CheckToken(absl::string_view token,
                                                 absl::string_view peer) {
  const std::optional<Token> known = store_->FindToken(Sha256(token));
  if (!known.has_value()) return Refuse(/*user=*/"", peer);
  AccountRef account = store_->FindUser(known->user);
  if (account == nullptr) return Refuse(known->user, peer);
  LoginRef login = MakeLogin(store_, std::move(account), known->expire_time);
  if (absl::Status valid = CheckStillValid(login, clock_->Now()); !valid.ok()) {
    return valid;
  }
  return login;
}

Authenticator::Verdict Authenticator::CheckPassword(
    const Authorization& authorization, absl::string_view peer) {
  const std::string key = ThrottleKey(peer, authorization.user);
  absl::Duration wait;
  {
    MutexLock lock(&mu_);
    wait = throttle_.Wait(key, clock_->Now());
  }
  if (wait > absl::ZeroDuration()) {
    return MakeError(
        Reason::kBadCredentials,
        absl::StrCat("too many failed logins: try again in ",
                     absl::FormatDuration(absl::Ceil(wait, absl::Seconds(1)))));
  }
  AccountRef account = store_->FindUser(authorization.user);
  const absl::string_view password = authorization.secret.view();
  bool right;
  if (account == nullptr) {
    nobodys_.Matches(password);
    right = false;
  } else if (account->unrestricted) {
    right = SamePassword(password, kGuest);
  } else {
    right = account->user.password.Matches(password);
  }
  if (!right) return Refuse(authorization.user, peer);
  {
    MutexLock lock(&mu_);
    throttle_.Succeeded(key);
  }
  return MakeLogin(store_, std::move(account), absl::InfiniteFuture());
}

Authenticator::Verdict Authenticator::Refuse(absl::string_view user,
                                             absl::string_view peer) {
  const std::string key = ThrottleKey(peer, user);
  const absl::Time now = clock_->Now();
  bool known;  // what fails on and on is told no more
  {
    MutexLock lock(&mu_);
    known = throttle_.Wait(key, now) > absl::ZeroDuration();
    throttle_.Failed(key, now);
  }
  if (audit_ != nullptr && !known) {
    audit_->Write({"Login", std::string(user), std::string(peer),
                   /*subject=*/"", "UNAUTHENTICATED"});
  }
  return LoginRefused();
}

}  // namespace kelpmq::service
