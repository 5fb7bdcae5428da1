#include "service/auth/authorization.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using testing::ReasonOf;

std::string Basic(absl::string_view plain) {
  return absl::StrCat("Basic ", absl::Base64Escape(plain));
}

TEST(Authorization, ReadsUserAndPassword) {
  const auto read = ParseAuthorization(Basic("app:pass:word"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->scheme, Authorization::Scheme::kBasic);
  EXPECT_EQ(read->user, "app");
  EXPECT_EQ(read->secret.view(), "pass:word");
}

TEST(Authorization, ReadsATokenAndTheSchemeInAnyCase) {
  for (const absl::string_view header : {"Bearer abc.d", "bearer  abc.d "}) {
    const auto read = ParseAuthorization(header);
    ASSERT_TRUE(read.ok()) << header;
    EXPECT_EQ(read->scheme, Authorization::Scheme::kBearer);
    EXPECT_EQ(read->secret.view(), "abc.d");
  }
  EXPECT_TRUE(ParseAuthorization("bAsIc YTpi").ok());
}

TEST(Authorization, AnEmptyPasswordIsOne) {
  const auto read = ParseAuthorization(Basic("app:"));
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->secret.empty());
}

TEST(Authorization, RefusesWhatIsNeither) {
  for (const std::string& header :
       {std::string("Basic"), std::string("Basic "), std::string("Bearer "),
        std::string("BasicYTpi"), std::string("Digest a"), Basic("no colon"),
        Basic(":no user"), std::string("Basic %%%"), Basic("\xff:x"),
        Basic(std::string(300, 'u') + ":x"),
        "Bearer " + std::string(kMaxAuthorizationBytes, 'x')}) {
    EXPECT_EQ(ReasonOf(ParseAuthorization(header)), "BAD_CREDENTIALS")
        << header.substr(0, 40);
  }
}

}  // namespace
}  // namespace kelpmq::service
