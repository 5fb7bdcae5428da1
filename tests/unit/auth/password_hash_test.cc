#include "service/auth/password_hash.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using testing::ReasonOf;

// RabbitMQ's documentation works this one out: salt 908DC60A, "test12".
constexpr char kSha256[] = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";

TEST(PasswordHash, MatchesThePasswordItWasMadeOfAlone) {
  const auto hash = PasswordHash::Make("secret");
  ASSERT_TRUE(hash.ok());
  EXPECT_TRUE(hash->Matches("secret"));
  EXPECT_FALSE(hash->Matches("secret "));
  EXPECT_FALSE(hash->Matches(""));
  EXPECT_EQ(hash->algorithm(), PasswordHash::kArgon2id);
  EXPECT_TRUE(
      absl::StartsWith(hash->text(), "$argon2id$v=19$m=19456,t=2,p=1$"));
}

TEST(PasswordHash, IsSalted) {
  EXPECT_NE(PasswordHash::Make("x")->text(), PasswordHash::Make("x")->text());
}

TEST(PasswordHash, AnUnknownOneCostsAsMuchToCheckAndMatchesNothing) {
  const PasswordHash unknown = PasswordHash::MakeUnknown();
  EXPECT_EQ(crypto_pwhash_str_needs_rehash(unknown.text().c_str(),
                                           PasswordHash::kPasses,
                                           PasswordHash::kMemoryBytes),
            0);
  EXPECT_EQ(unknown.text().size(), PasswordHash::Make("x")->text().size());
  EXPECT_NE(unknown.text(), PasswordHash::MakeUnknown().text());
  EXPECT_FALSE(unknown.Matches(""));
}

TEST(PasswordHash, ReadsBackWhatItWrote) {
  const auto hash = PasswordHash::Make("secret");
  const auto again = PasswordHash::Parse(hash->text(), "");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, *hash);
  EXPECT_TRUE(again->Matches("secret"));
}

TEST(PasswordHash, TakesRabbitMqsHashes) {
  for (const absl::string_view algorithm :
       {absl::string_view(""), PasswordHash::kSha256}) {
    const auto hash = PasswordHash::Parse(kSha256, algorithm);
    ASSERT_TRUE(hash.ok()) << hash.status();
    EXPECT_EQ(hash->algorithm(), PasswordHash::kSha256);
    EXPECT_TRUE(hash->Matches("test12"));
    EXPECT_FALSE(hash->Matches("test13"));
  }
}

TEST(PasswordHash, AnEmptyOneMatchesNothing) {
  EXPECT_FALSE(PasswordHash().Matches(""));
  const auto hash = PasswordHash::Parse("", PasswordHash::kSha512);
  ASSERT_TRUE(hash.ok());
  EXPECT_FALSE(hash->Matches(""));
}

TEST(PasswordHash, RefusesWhatIsNone) {
  for (const auto& [text, algorithm] :
       std::initializer_list<std::pair<absl::string_view, absl::string_view>>{
           {kSha256, "rabbit_password_hashing_rot13"},
           {kSha256, PasswordHash::kSha512},
           {kSha256, PasswordHash::kMd5},
           {"not base64!", PasswordHash::kSha256},
           {"AAAA", ""},
           {"$argon2id$", ""},
           {"$argon2id$v=19$m=x,t=2,p=1$YWJj$YWJj", ""},
           {"$argon2id$v=19$m=19456,t=2,p=1$$", ""},
           {"$argon2i$v=19$m=19456,t=2,p=1$YWJj$YWJj", "argon2id"}}) {
    EXPECT_EQ(ReasonOf(PasswordHash::Parse(text, algorithm)), "INVALID_VALUE")
        << text << " " << algorithm;
  }
}

// Whoever may put users must not be able to have the broker run out of memory
// when they log in.
TEST(PasswordHash, RefusesWhatIsTooCostlyToCheck) {
  for (const absl::string_view cost :
       {"m=4194304,t=2,p=1", "m=19456,t=1000,p=1", "m=19456,t=2,p=4"}) {
    EXPECT_EQ(ReasonOf(PasswordHash::Parse(
                  absl::StrCat("$argon2id$v=19$", cost, "$YWJj$YWJj"), "")),
              "INVALID_VALUE")
        << cost;
  }
}

TEST(PasswordHash, ErrorsDoNotRepeatTheHash) {
  const auto hash = PasswordHash::Parse("c2VjcmV0", PasswordHash::kSha256);
  EXPECT_FALSE(absl::StrContains(hash.status().message(), "c2VjcmV0"));
}

}  // namespace
}  // namespace kelpmq::service
