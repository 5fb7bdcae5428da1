#ifndef KELPMQ_SERVICE_AUTH_LOGIN_THROTTLE_H_
#define KELPMQ_SERVICE_AUTH_LOGIN_THROTTLE_H_

#include <cstddef>
#include <deque>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace kelpmq::service {

// Makes guessing slow: after a few failed logins of one key (who tried, and as
// whom) each further one must wait, twice as long as the one before.
// Thread-safety: thread-compatible.
class LoginThrottle {
 public:
  static constexpr int kFreeFailures = 10;
  static constexpr absl::Duration kFirstWait = absl::Seconds(1);
  static constexpr absl::Duration kLongestWait = absl::Minutes(1);
  // After so long without a failure a key starts anew.
  static constexpr absl::Duration kForgetAfter = absl::Minutes(10);
  // Over it the oldest are forgotten.
  static constexpr size_t kMaxKeys = 10'000;

  // How long this key must still wait; zero: it may try.
  absl::Duration Wait(absl::string_view key, absl::Time now) const;
  void Failed(absl::string_view key, absl::Time now);
  void Succeeded(absl::string_view key);

 private:
  struct Failures {
    int count = 0;
    absl::Time last;
  };

  static absl::Duration WaitAfter(int failures);
  void ForgetOld(absl::Time now);

  absl::flat_hash_map<std::string, Failures> failures_;
  std::deque<std::string> order_;  // by first failure; may name forgotten ones
};

}  // namespace kelpmq::service

#endif  // KELPMQ_SERVICE_AUTH_LOGIN_THROTTLE_H_
