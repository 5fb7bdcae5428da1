#include "service/auth/name_pattern.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using testing::MetadataOf;
using testing::ReasonOf;

bool Matches(absl::string_view pattern, absl::string_view name) {
  const auto compiled = NamePattern::Compile("write", pattern);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled->Matches(name);
}

TEST(NamePattern, AUTH_09_IsNotAnchored) {
  EXPECT_TRUE(Matches("mid", "a-mid-b"));
  EXPECT_TRUE(Matches("^a", "a-mid-b"));
  EXPECT_FALSE(Matches("^mid", "a-mid-b"));
  EXPECT_TRUE(Matches(".*", ""));
}

TEST(NamePattern, AUTH_09_AnEmptyOneMatchesTheEmptyNameAlone) {
  EXPECT_TRUE(Matches("", ""));
  EXPECT_FALSE(Matches("", "q"));
}

TEST(NamePattern, WorksOnBytes) {
  EXPECT_TRUE(Matches("^..$", "é"));
  EXPECT_TRUE(Matches("^é$", "é"));
}

TEST(NamePattern, RefusesWhatIsNone) {
  for (const std::string& pattern :
       {std::string("("), std::string("(?=x)"), std::string(5000, 'x')}) {
    const auto compiled = NamePattern::Compile("write", pattern);
    EXPECT_EQ(ReasonOf(compiled), "INVALID_VALUE");
    EXPECT_EQ(MetadataOf(compiled.status(), "argument"), "write");
  }
}

TEST(NamePattern, TakesLinearTime) {
  EXPECT_FALSE(Matches("^(a*)*b$", std::string(255, 'a')));
}

}  // namespace
}  // namespace kelpmq::service
