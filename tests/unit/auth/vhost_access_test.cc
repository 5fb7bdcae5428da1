#include "service/auth/vhost_access.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/testing/reason_of.h"

namespace kelpmq::service {
namespace {

using Permission = VhostAccess::Permission;
using Resource = VhostAccess::Resource;
using testing::ReasonOf;

class VhostAccessTest : public ::testing::Test {
 protected:
  VhostAccessTest() { Put("u"); }

  void Put(const std::string& name, std::vector<std::string> tags = {}) {
    User user;
    user.name = name;
    user.tags = std::move(tags);
    ASSERT_TRUE(store_.PutUser(std::move(user)).ok());
  }
  void Allow(const std::string& configure, const std::string& write,
             const std::string& read) {
    ASSERT_TRUE(store_.SetPermission({"v", "u", configure, write, read}).ok());
  }
  void Topic(const std::string& write, const std::string& read) {
    ASSERT_TRUE(store_.SetTopicPermission({"v", "u", "t", write, read}).ok());
  }
  LoginRef LoginOf(const std::string& name) {
    auto login = std::make_shared<Login>();
    login->store = &store_;
    login->account = store_.FindUser(name);
    return login;
  }
  VhostAccess Access() { return VhostAccess(LoginOf("u"), "v"); }

  UserStore store_;
};

TEST_F(VhostAccessTest, AUTH_02_NoPermissionIsNoAccess) {
  VhostAccess access = Access();
  EXPECT_EQ(ReasonOf(access.CheckVhost()), "VHOST_ACCESS_REFUSED");
  EXPECT_EQ(access.CheckVhost().message(),
            "NOT_ALLOWED - access to vhost 'v' refused for user 'u'");
  Allow("", "", "");
  EXPECT_TRUE(access.CheckVhost().ok());
}

TEST_F(VhostAccessTest, AUTH_03_EachPermissionHasItsPattern) {
  Allow("^c$", "^w$", "^r$");
  VhostAccess access = Access();
  EXPECT_TRUE(access.Check(Permission::kConfigure, Resource::kQueue, "c").ok());
  EXPECT_TRUE(access.Check(Permission::kWrite, Resource::kExchange, "w").ok());
  EXPECT_TRUE(access.Check(Permission::kRead, Resource::kQueue, "r").ok());
  const absl::Status refused =
      access.Check(Permission::kRead, Resource::kQueue, "c");
  EXPECT_EQ(ReasonOf(refused), "ACCESS_REFUSED");
  EXPECT_EQ(
      refused.message(),
      "ACCESS_REFUSED - access to queue 'c' in vhost 'v' refused for user 'u'");
}

TEST_F(VhostAccessTest, AUTH_04_TheDefaultExchangeGoesByAName) {
  Allow("", "^amq[.]default$", "");
  VhostAccess access = Access();
  EXPECT_TRUE(access.Check(Permission::kWrite, Resource::kExchange, "").ok());
  Allow("", "^$", "");
  EXPECT_EQ(access.Check(Permission::kWrite, Resource::kExchange, "").message(),
            "ACCESS_REFUSED - access to exchange 'amq.default' in vhost 'v' "
            "refused for user 'u'");
}

TEST_F(VhostAccessTest, NoticesChanges) {
  Allow(".*", ".*", ".*");
  VhostAccess access = Access();
  EXPECT_TRUE(access.Check(Permission::kRead, Resource::kQueue, "q").ok());
  Allow("", "", "");
  EXPECT_FALSE(access.Check(Permission::kRead, Resource::kQueue, "q").ok());
  Allow("", "", "q");
  EXPECT_TRUE(access.Check(Permission::kRead, Resource::kQueue, "q").ok());
  store_.DeleteUser("u");
  EXPECT_FALSE(access.Check(Permission::kRead, Resource::kQueue, "q").ok());
  EXPECT_FALSE(access.CheckVhost().ok());
}

TEST_F(VhostAccessTest, RemembersManyNamesRightly) {
  Allow("", "^(1|20)", "");
  VhostAccess access = Access();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3000; ++i) {
      const std::string name = std::to_string(i);
      const bool expected = name[0] == '1' || name.substr(0, 2) == "20";
      ASSERT_EQ(
          access.Check(Permission::kWrite, Resource::kExchange, name).ok(),
          expected)
          << i;
    }
  }
}

TEST_F(VhostAccessTest, AUTH_10_TopicRulesAreOfOneExchange) {
  Allow(".*", ".*", ".*");
  VhostAccess access = Access();
  EXPECT_FALSE(access.HasTopicRule("t"));
  EXPECT_TRUE(access.CheckTopic(Permission::kWrite, "t", "no.1").ok());
  Topic("^ok[.]", "^in[.]");
  EXPECT_TRUE(access.HasTopicRule("t"));
  EXPECT_FALSE(access.HasTopicRule("other"));
  EXPECT_TRUE(access.CheckTopic(Permission::kWrite, "t", "ok.1").ok());
  EXPECT_TRUE(access.CheckTopic(Permission::kRead, "t", "in.1").ok());
  EXPECT_TRUE(access.CheckTopic(Permission::kWrite, "other", "no.1").ok());
  const absl::Status refused =
      access.CheckTopic(Permission::kWrite, "t", "no.1");
  EXPECT_EQ(refused.message(),
            "ACCESS_REFUSED - access to topic 'no.1' in exchange 't' in vhost "
            "'v' refused for user 'u'");
}

TEST_F(VhostAccessTest, AUTH_10_TopicPatternsKnowUserAndVhost) {
  Topic("^{username}[.]{vhost}[.]", "");
  VhostAccess access = Access();
  EXPECT_TRUE(access.CheckTopic(Permission::kWrite, "t", "u.v.1").ok());
  EXPECT_FALSE(access.CheckTopic(Permission::kWrite, "t", "x.v.1").ok());
  EXPECT_FALSE(access.CheckTopic(Permission::kRead, "t", "any").ok());
  EXPECT_TRUE(access.CheckTopic(Permission::kRead, "t", "").ok());
}

TEST_F(VhostAccessTest, USERID_01_OnlyOnesOwnName) {
  VhostAccess access = Access();
  EXPECT_TRUE(access.CheckUserId("u").ok());
  EXPECT_TRUE(access.CheckUserId("").ok());
  const absl::Status refused = access.CheckUserId("other");
  EXPECT_EQ(ReasonOf(refused), "USER_ID_MISMATCH");
  EXPECT_EQ(refused.message(),
            "PRECONDITION_FAILED - user_id property set to 'other' but "
            "authenticated user was 'u'");
}

TEST_F(VhostAccessTest, USERID_02_AnImpersonatorMayUseAny) {
  Put("p", {"impersonator"});
  VhostAccess access(LoginOf("p"), "v");
  EXPECT_TRUE(access.CheckUserId("zoe").ok());
  Put("p");
  EXPECT_FALSE(access.CheckUserId("zoe").ok());
}

TEST_F(VhostAccessTest, GuestMayDoEverythingWhereNothingElseIsSet) {
  VhostAccess access(LoginOf("guest"), "v");
  VhostAccess elsewhere(LoginOf("guest"), "w");
  EXPECT_FALSE(access.may_refuse());
  EXPECT_TRUE(access.CheckVhost().ok());
  EXPECT_TRUE(access.Check(Permission::kConfigure, Resource::kQueue, "q").ok());
  ASSERT_TRUE(store_.SetPermission({"v", "guest", "", "", ""}).ok());
  EXPECT_TRUE(access.may_refuse());
  EXPECT_FALSE(
      access.Check(Permission::kConfigure, Resource::kQueue, "q").ok());
  EXPECT_TRUE(
      elsewhere.Check(Permission::kConfigure, Resource::kQueue, "q").ok());
}

TEST(VhostAccessOfNobody, AllowsEverything) {
  VhostAccess access;
  EXPECT_FALSE(access.may_refuse());
  EXPECT_TRUE(access.CheckVhost().ok());
  EXPECT_TRUE(access.Check(Permission::kRead, Resource::kQueue, "q").ok());
  EXPECT_TRUE(access.CheckUserId("guest").ok());
  EXPECT_FALSE(access.CheckUserId("other").ok());
}

}  // namespace
}  // namespace kelpmq::service
