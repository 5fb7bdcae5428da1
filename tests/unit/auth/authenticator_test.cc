#include "service/auth/authenticator.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/manual_executor.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using testing::FakeClock;
using testing::ManualExecutor;
using testing::ReasonOf;

constexpr char kPeer[] = "ipv4:10.0.0.7:4711";

class RecordingAudit : public AuditLog {
 public:
  void Write(const AuditEvent& event) override { events.push_back(event); }
  std::vector<AuditEvent> events;
};

std::string Basic(absl::string_view user, absl::string_view password) {
  return absl::StrCat("Basic ",
                      absl::Base64Escape(absl::StrCat(user, ":", password)));
}

std::string Sha256(absl::string_view text) {
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                     reinterpret_cast<const unsigned char*>(text.data()),
                     text.size());
  return digest;
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() { Put("u", "right"); }

  void Put(const std::string& name, const std::string& password) {
    User user;
    user.name = name;
    user.password = *PasswordHash::Make(password);
    ASSERT_TRUE(store_.PutUser(std::move(user)).ok());
  }
  // As a server asks: at once if that does, else by the slow way.
  Authenticator::Verdict Ask(const std::string& header,
                             const std::string& peer = kPeer) {
    if (auto verdict = authenticator_.Recognize(header)) return *verdict;
    std::optional<Authenticator::Verdict> verdict;
    authenticator_.Verify(
        header, peer, [&](Authenticator::Verdict found) { verdict = found; });
    executor_.RunAll();
    return *verdict;
  }

  void Fail(const std::string& peer = kPeer) {
    EXPECT_FALSE(Ask(Basic("u", "wrong"), peer).ok());
  }

  FakeClock clock_;
  ManualExecutor executor_;
  RecordingAudit audit_;
  UserStore store_;
  Authenticator authenticator_{&store_, &clock_, &executor_, &audit_};
};

TEST_F(AuthenticatorTest, KnowsWhoHasTheRightPassword) {
  const auto login = Ask(Basic("u", "right"));
  ASSERT_TRUE(login.ok()) << login.status();
  EXPECT_EQ(UserOf(*login), "u");
}

TEST_F(AuthenticatorTest, AUTH_01_RefusesTheOthersInTheSameWords) {
  const absl::Status wrong = Ask(Basic("u", "wrong")).status();
  const absl::Status nobody = Ask(Basic("nobody", "right")).status();
  EXPECT_EQ(ReasonOf(wrong), "BAD_CREDENTIALS");
  EXPECT_EQ(wrong.message(), nobody.message());
  EXPECT_EQ(wrong.message(),
            "ACCESS_REFUSED - Login was refused using authentication mechanism "
            "PLAIN. For details "
            "see the broker logfile.");
}

TEST_F(AuthenticatorTest, VerifiesOnce) {
  ASSERT_TRUE(Ask(Basic("u", "right")).ok());
  const auto again = authenticator_.Recognize(Basic("u", "right"));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(UserOf(**again), "u");
  EXPECT_FALSE(authenticator_.Recognize(Basic("u", "wrong")).has_value());
}

TEST_F(AuthenticatorTest, WhatWaitedBesideItIsVerifiedByTheFirst) {
  int admitted = 0;
  for (int i = 0; i < 3; ++i) {
    authenticator_.Verify(
        Basic("u", "right"), kPeer,
        [&](Authenticator::Verdict verdict) { admitted += verdict.ok(); });
  }
  executor_.RunAll();
  EXPECT_EQ(admitted, 3);
}

TEST_F(AuthenticatorTest, ForgetsWhatItVerifiedWhenTheUserChanges) {
  ASSERT_TRUE(Ask(Basic("u", "right")).ok());
  Put("u", "new");
  EXPECT_FALSE(authenticator_.Recognize(Basic("u", "right")).has_value());
  EXPECT_FALSE(Ask(Basic("u", "right")).ok());
  ASSERT_TRUE(Ask(Basic("u", "new")).ok());
  store_.DeleteUser("u");
  EXPECT_FALSE(Ask(Basic("u", "new")).ok());
}

TEST_F(AuthenticatorTest, ATagThatChangesEndsNoLogin) {
  ASSERT_TRUE(Ask(Basic("u", "right")).ok());
  User user = store_.FindUser("u")->user;
  user.tags = {"administrator"};
  ASSERT_TRUE(store_.PutUser(user).ok());
  const auto login = authenticator_.Recognize(Basic("u", "right"));
  ASSERT_TRUE(login.has_value());
  EXPECT_TRUE(CheckAdministrator(**login).ok());
}

TEST_F(AuthenticatorTest, WithoutCredentialsOneIsGuestAsLongAsThatIsAllowed) {
  EXPECT_EQ(UserOf(*Ask("")), "guest");
  EXPECT_EQ(UserOf(*Ask(Basic("guest", "guest"))), "guest");
  EXPECT_FALSE(Ask(Basic("guest", "other")).ok());
  store_.DeleteUser("guest");
  EXPECT_EQ(ReasonOf(Ask("")), "BAD_CREDENTIALS");
  EXPECT_EQ(ReasonOf(Ask(Basic("guest", "guest"))), "BAD_CREDENTIALS");
}

TEST_F(AuthenticatorTest, TokensHoldUntilTheyExpire) {
  ASSERT_TRUE(
      store_.AddToken({"u", Sha256("token"), clock_.Now() + absl::Hours(1)})
          .ok());
  EXPECT_EQ(UserOf(*Ask("Bearer token")), "u");
  EXPECT_EQ(ReasonOf(Ask("Bearer other")), "BAD_CREDENTIALS");
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(ReasonOf(Ask("Bearer token")), "TOKEN_EXPIRED");
}

TEST_F(AuthenticatorTest, GuessingGetsSlow) {
  for (int i = 0; i < LoginThrottle::kFreeFailures; ++i) Fail();
  const size_t logged = audit_.events.size();
  EXPECT_FALSE(Ask(Basic("u", "right")).ok());  // not even looked at
  EXPECT_EQ(audit_.events.size(), logged);
  EXPECT_TRUE(Ask(Basic("u", "right"), "ipv4:10.0.0.8:1").ok());
  clock_.Advance(LoginThrottle::kFirstWait);
  EXPECT_FALSE(Ask(Basic("u", "wrong")).ok());
}

TEST_F(AuthenticatorTest, AnotherPortIsTheSamePeer) {
  for (int i = 0; i < LoginThrottle::kFreeFailures; ++i) {
    Fail(absl::StrCat("ipv4:10.0.0.7:", i));
  }
  EXPECT_FALSE(Ask(Basic("u", "right"), "ipv4:10.0.0.7:999").ok());
}

TEST_F(AuthenticatorTest, AFailedLoginLeavesALineWithoutThePassword) {
  Fail();
  ASSERT_EQ(audit_.events.size(), 1u);
  EXPECT_EQ(audit_.events[0].action, "Login");
  EXPECT_EQ(audit_.events[0].user, "u");
  EXPECT_EQ(audit_.events[0].peer, kPeer);
  EXPECT_EQ(audit_.events[0].outcome, "UNAUTHENTICATED");
}

TEST_F(AuthenticatorTest, TokensThatFailOnAndOnDoNotFillTheLog) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(Ask(absl::StrCat("Bearer ", i)).ok());
  }
  EXPECT_EQ(audit_.events.size(),
            static_cast<size_t>(LoginThrottle::kFreeFailures));
}

TEST_F(AuthenticatorTest, TooManyAtOnceAreTurnedAway) {
  std::string last;
  for (size_t i = 0; i <= Authenticator::kMaxWaiting; ++i) {
    authenticator_.Verify(
        "Bearer none", kPeer,
        [&last](Authenticator::Verdict verdict) { last = ReasonOf(verdict); });
  }
  EXPECT_EQ(last, "LIMIT_EXCEEDED");
  executor_.RunAll();
  EXPECT_EQ(ReasonOf(Ask("Bearer none")), "BAD_CREDENTIALS");
}

}  // namespace
}  // namespace kelpmq::service
